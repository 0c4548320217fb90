import { messageOf, ServiceError } from '../errors.ts';

export interface ServiceAddress {
  readonly url: string;
  readonly token: string | undefined;
}

/**
 * `data` of the Prometheus API's answer to a GET.
 * @throws ServiceError `ERR_WEIR_SERVICE_REQUEST` with the service's own words when it refuses.
 */
export async function askService(
  address: ServiceAddress,
  path: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const target = new URL(path, address.url);
  for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, value);
  const response = await request(address, target, {});
  const answer = (await parsed(response)) as { status?: string; error?: string; data?: unknown };
  if (answer.status !== 'success')
    throw new ServiceError(
      'ERR_WEIR_SERVICE_REQUEST',
      answer.error ?? `Unexpected answer from ${address.url}.`,
    );
  return answer.data;
}

/**
 * The answer to a change, or `undefined` when it has none.
 * @throws ServiceError `ERR_WEIR_SERVICE_REQUEST` with the service's own words when it refuses.
 */
export async function sendToService(
  address: ServiceAddress,
  method: 'POST' | 'DELETE',
  path: string,
  body?: object,
): Promise<unknown> {
  const response = await request(address, new URL(path, address.url), {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (response.status === 204) return undefined;
  const answer = (await parsed(response)) as { title?: string; detail?: string };
  if (!response.ok) throw new ServiceError('ERR_WEIR_SERVICE_REQUEST', `${answer.title}: ${answer.detail}`);
  return answer;
}

async function request({ url, token }: ServiceAddress, target: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(target, {
      ...init,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      redirect: 'error',
      signal: AbortSignal.timeout(60_000),
    });
  } catch (thrown) {
    throw noAnswer(url, thrown);
  }
}

async function parsed(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (thrown) {
    throw noAnswer(response.url, thrown);
  }
}

function noAnswer(url: string, thrown: unknown): ServiceError {
  const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
  return new ServiceError(
    'ERR_WEIR_SERVICE_REQUEST',
    `No answer from ${url}: ${messageOf(cause)}. Start the service or name another with --url.`,
    thrown,
  );
}
