import { ServiceError } from '../errors.ts';

/** Where a Weir service is, and how we may use it. */
export interface ServiceAddress {
  /** e.g. `http://127.0.0.1:4040`. */
  readonly url: string;
  /** Needs the role `bench` for starting runs and pushing results. */
  readonly token?: string;
}

/** What a request to the service may carry. */
export interface ServiceRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const answerMs = 30_000;

/**
 * Asks the service.
 *
 * @returns the answer, its status in the 200s; its body must be read or cancelled
 * @throws {@link ServiceError} with the problem that the service tells (RFC 9457), or with why it could not be asked
 */
export async function askService(
  { url, token }: ServiceAddress,
  path: string,
  { method = 'GET', body, headers = {}, signal = AbortSignal.timeout(answerMs) }: ServiceRequest = {},
): Promise<Response> {
  const target = URL.parse(path, url);
  if (target === null || !/^https?:$/.test(target.protocol))
    throw new ServiceError(url, 'is no http or https address');
  let response: Response;
  try {
    response = await fetch(target, {
      method,
      // A token must not travel to where a redirect points.
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
    throw new ServiceError(url, `cannot be asked (${inner?.code ?? inner?.message ?? message})`, { cause });
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { title?: string; detail?: string };
  const detail = [problem.title, problem.detail].filter(Boolean).join(': ');
  const hint = response.status === 401 ? ' Set WEIR_TOKEN.' : '';
  throw new ServiceError(url, `answered ${response.status}${detail === '' ? '' : ` ${detail}`}${hint}`);
}

/** A benchmark's name as the service takes it: letters, digits, `.`, `_` and `-`. */
export function serviceName(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 100);
}
