import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError } from '../errors.ts';
import type { BenchmarkProgress, BenchmarkResult } from '../result.ts';
import { readEvents } from './read-events.ts';
import { askService, type ServiceAddress } from './service-client.ts';

/** A run as the service shows it. */
export interface ServiceRun {
  readonly id: string;
  readonly benchmark: string;
  readonly status: 'queued' | 'running' | 'finished' | 'failed' | 'cancelled';
  readonly result: BenchmarkResult | null;
  readonly error: string | null;
}

/** Options of {@link runAtService}. */
export interface RunAtServiceOptions {
  readonly service: ServiceAddress;
  /** Of the service's configuration. */
  readonly benchmark: string;
  /** Cancels the run; the promise then resolves with what the service had measured. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BenchmarkProgress) => void;
  /** Called with the run as it is when the stream begins, and when a queued one begins. */
  readonly onRun?: (run: ServiceRun) => void;
}

const reconnects = 5;
const reconnectMs = 1_000;

/**
 * Runs a benchmark where the service is, and follows it to its end. A stream that breaks is asked for again.
 *
 * @throws {@link ServiceError} when the service refuses, or is lost
 */
export async function runAtService(options: RunAtServiceOptions): Promise<ServiceRun> {
  const { service, benchmark, signal } = options;
  const started = await askService(service, `/benchmarks/${encodeURIComponent(benchmark)}/runs`, {
    method: 'POST',
  });
  const location = started.headers.get('location');
  await started.body?.cancel();
  if (location === null)
    throw new ServiceError(service.url, 'told no place of the run; is it a Weir service?');
  // A cancelled run still has an end to be read.
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
      if (attempt === reconnects) throw new ServiceError(service.url, 'lost the run’s event stream');
      await delay(reconnectMs);
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

/** @returns the run that ended, or `undefined` when the stream broke before */
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
