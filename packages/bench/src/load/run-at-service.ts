import { setTimeout as delay } from 'node:timers/promises';
import { ServiceRequestError } from '../errors.ts';
import type { BenchmarkProgress, BenchmarkResult } from '../result/result.ts';

/** Address and token of a Weir service. */
export interface ServiceAddress {
  /** e.g. `http://127.0.0.1:4040`. */
  readonly url: string;
  /** With the role `bench`, which starts runs and pushes results. */
  readonly token?: string;
}

/** Options of {@link runAtService}. */
export interface RunAtServiceOptions {
  readonly service: ServiceAddress;
  /** Name of a benchmark in the service's configuration. */
  readonly benchmark: string;
  /** Cancels the run. The promise then resolves with the partial run. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BenchmarkProgress) => void;
  /** Called with the run when the event stream begins, and when a queued run begins. */
  readonly onRun?: (run: ServiceRun) => void;
}

/** A run as the service shows it. */
export interface ServiceRun {
  readonly id: string;
  readonly benchmark: string;
  readonly status: 'queued' | 'running' | 'finished' | 'failed' | 'cancelled';
  readonly result: BenchmarkResult | null;
  readonly error: string | null;
}

const reconnects = 5;
const reconnectMs = 1_000;

/**
 * Starts a benchmark at a Weir service and follows it to its end. A broken event stream is requested again.
 *
 * @throws {@link ServiceRequestError} when the service refuses the run or becomes unreachable
 */
export async function runAtService(options: RunAtServiceOptions): Promise<ServiceRun> {
  const { service, benchmark, signal } = options;
  const started = await askService(service, `/benchmarks/${encodeURIComponent(benchmark)}/runs`, {
    method: 'POST',
  });
  const location = started.headers.get('location');
  await started.body?.cancel();
  if (location === null)
    throw new ServiceRequestError(
      service.url,
      'sent no `Location` of the run. Check that it is a Weir service',
    );
  // The end of a cancelled run is still read.
  const cancel = (): void => {
    askService(service, location, { method: 'DELETE' }).then(
      (response) => response.body?.cancel(),
      () => undefined,
    );
  };
  signal?.addEventListener('abort', cancel, { once: true });
  if (signal?.aborted === true) cancel();
  try {
    for (let attempt = 0; ; attempt += 1) {
      const end = await followOnce(options, location);
      if (end !== undefined) return end;
      if (attempt === reconnects) throw new ServiceRequestError(service.url, 'lost the run’s event stream');
      await delay(reconnectMs);
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

/** @returns the ended run, or `undefined` when the stream broke before */
async function followOnce(options: RunAtServiceOptions, location: string): Promise<ServiceRun | undefined> {
  const { service, onProgress, onRun } = options;
  const closed = new AbortController();
  const response = await askService(service, `${location}/events`, { signal: closed.signal });
  try {
    for await (const { name, data } of readEvents(response.body ?? new ReadableStream())) {
      if (name === 'progress') onProgress?.(JSON.parse(data) as BenchmarkProgress);
      else if (name === 'run') onRun?.(JSON.parse(data) as ServiceRun);
      else if (name === 'end') return JSON.parse(data) as ServiceRun;
    }
  } catch {
    // The connection broke; the caller asks again.
  } finally {
    closed.abort();
  }
  return undefined;
}

const answerMs = 30_000;

/** Options of {@link askService}. */
interface ServiceRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/**
 * Sends a request to the service.
 *
 * @returns the answer, with a 2xx status. Read or cancel its body
 * @throws {@link ServiceRequestError} with the service's problem details (RFC 9457), or with the reason of a failed request
 */
export async function askService(
  { url, token }: ServiceAddress,
  path: string,
  { method = 'GET', body, headers = {}, signal = AbortSignal.timeout(answerMs) }: ServiceRequest = {},
): Promise<Response> {
  const target = URL.parse(path, url);
  if (target === null || !/^https?:$/.test(target.protocol))
    throw new ServiceRequestError(url, 'is not an http or https address');
  let response: Response;
  try {
    response = await fetch(target, {
      method,
      // The token must not be sent to the target of a redirect.
      redirect: 'manual',
      signal,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
  } catch (cause) {
    const { cause: inner, message } = cause as Error & { cause?: Error & { code?: string } };
    throw new ServiceRequestError(url, `cannot be reached (${inner?.code ?? inner?.message ?? message})`, {
      cause,
    });
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { title?: string; detail?: string };
  const detail = [problem.title, problem.detail].filter(Boolean).join(': ');
  const hint = response.status === 401 ? ' Set WEIR_TOKEN.' : '';
  throw new ServiceRequestError(
    url,
    `answered ${response.status}${detail === '' ? '' : ` ${detail}`}${hint}`,
  );
}

/** A benchmark's name in the service's alphabet: letters, digits, `.`, `_` and `-`. */
export function serviceName(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 100);
}

/** One server-sent event (WHATWG HTML, section 9.2). */
export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

const longest = 16_777_216;

/** Parses an event stream. Comments, ids and retry times are skipped. @throws when an event is longer than 16 MiB */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let held = '';
  let name = 'message';
  let data: string[] = [];
  for await (const chunk of body) {
    held += decoder.decode(chunk, { stream: true });
    if (held.length > longest) throw new Error('an event is longer than 16 MiB');
    // A final carriage return may be the first half of a CRLF.
    const lines = held.split(/\r\n|\n|\r(?!$)/);
    held = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { name, data: data.join('\n') };
        name = 'message';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') name = value;
      else if (field === 'data') data.push(value);
    }
  }
}
