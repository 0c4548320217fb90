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
  { url, token }: ServiceAddress,
  path: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const target = new URL(path, url);
  for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, value);
  let answer: { status?: string; error?: string; data?: unknown };
  try {
    const response = await fetch(target, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: AbortSignal.timeout(60_000),
    });
    answer = (await response.json()) as typeof answer;
  } catch (thrown) {
    const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
    throw new ServiceError(
      'ERR_WEIR_SERVICE_REQUEST',
      `No answer from ${url}: ${messageOf(cause)}. Start the service or name another with --url.`,
      thrown,
    );
  }
  if (answer.status !== 'success')
    throw new ServiceError('ERR_WEIR_SERVICE_REQUEST', answer.error ?? `Unexpected answer from ${url}.`);
  return answer.data;
}
