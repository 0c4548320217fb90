import { Labels } from '@weir/promql';
import { createToken, type Role, roles } from './auth/tokens.ts';
import { loadConfig } from './config/load-config.ts';
import { messageOf, ServiceError } from './errors.ts';

/** The output of `weir check-config`. @throws ServiceError `ERR_WEIR_SERVICE_CONFIG_INVALID` with one line for each error. */
export function checkConfig(path: string): string {
  const { targets, benchmarks, rules, discovery, auth } = loadConfig(path, process.env);
  const counted = [
    [targets.length, 'target'],
    [discovery.length, 'watched directory', 'watched directories'],
    [rules.groups.length, 'rule group'],
    [benchmarks.length, 'benchmark'],
    [auth.tokens.length, 'token'],
  ] as const;
  const list = counted.map(([count, one, many = `${one}s`]) => `${count} ${count === 1 ? one : many}`);
  return `${path} is valid: ${list.join(', ')}.`;
}

/** The output of `weir token`: the token, which is shown only once, and the entry for `auth.tokens`. */
export function newToken(name: string, role: string): string {
  if (!roles.includes(role as Role)) {
    throw new ServiceError(
      'ERR_WEIR_SERVICE_ARGUMENTS',
      `Expected --role to be one of ${roles.join(', ')}, got ${role}.`,
    );
  }
  const { token, sha256 } = createToken();
  const entry = JSON.stringify({ name, role, sha256 });
  return `${token}\n\nSave it now: it is not shown again. Add this to \`auth.tokens\`:\n${entry}`;
}

interface Element {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

/** The lines of `weir query`: a series and its value each, as Prometheus' tools print them. */
export async function query(
  address: ServiceAddress,
  text: string,
  time: string | undefined,
): Promise<string> {
  const data = (await askService(address, '/api/v1/query', {
    query: text,
    ...(time === undefined ? {} : { time }),
  })) as { resultType: string; result: unknown };
  if (data.resultType === 'scalar' || data.resultType === 'string') {
    const [at, value] = data.result as [number, string];
    return `${value} @[${at}]`;
  }
  const lines = (data.result as Element[]).map(({ metric, value, values = [] }) => {
    const points = (value === undefined ? values : [value]).map(([at, number]) => `${number} @[${at}]`);
    return `${Labels.from(metric)} => ${points.join('\n')}`;
  });
  return lines.length === 0 ? '(no result)' : lines.join('\n');
}

interface ShownTarget {
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly health: string;
  readonly lastError: string;
}

/** The output of `weir targets`. */
export async function targets(address: ServiceAddress): Promise<string> {
  const { activeTargets } = (await askService(address, '/api/v1/targets')) as {
    activeTargets: ShownTarget[];
  };
  const width = Math.max(...activeTargets.map(({ scrapePool }) => scrapePool.length), 0);
  return activeTargets
    .map(({ health, scrapePool, scrapeUrl, lastError }) =>
      `${health.padEnd(7)} ${scrapePool.padEnd(width)} ${scrapeUrl} ${lastError}`.trimEnd(),
    )
    .join('\n');
}

interface NewTarget {
  readonly url: string;
  readonly job: string;
  readonly ttl: string | undefined;
  /** `name=value` each. */
  readonly labels: readonly string[];
}

/** The output of `weir targets add`. @throws ServiceError `ERR_WEIR_SERVICE_REQUEST` with the service's message when it refuses. */
export async function addTarget(address: ServiceAddress, target: NewTarget): Promise<string> {
  const labels = Object.fromEntries(
    target.labels.map((text) => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new ServiceError('ERR_WEIR_SERVICE_ARGUMENTS', `Expected --label name=value, got ${text}.`);
    }),
  );
  const { url, job, ttl } = target;
  const answer = await sendToService(address, 'POST', '/targets', {
    url,
    job,
    labels,
    ...(ttl === undefined ? {} : { ttl }),
  });
  const { id, expiresAt } = answer as { id: string; expiresAt: string };
  return `${id} until ${expiresAt}`;
}

/** The output of `weir targets remove`. */
export async function removeTarget(address: ServiceAddress, id: string): Promise<string> {
  await sendToService(address, 'DELETE', `/targets/${encodeURIComponent(id)}`);
  return `${id} removed`;
}

export interface ServiceAddress {
  readonly url: string;
  readonly token: string | undefined;
}

/**
 * Sends a GET to the Prometheus API and returns `data` of the answer.
 * @throws ServiceError `ERR_WEIR_SERVICE_REQUEST` with the service's message when it refuses.
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
 * Sends a change and returns the answer; `undefined` for 204.
 * @throws ServiceError `ERR_WEIR_SERVICE_REQUEST` with the service's message when it refuses.
 */
async function sendToService(
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
    `No answer from ${url}: ${messageOf(cause)}. Start the service or name its address with --url.`,
    thrown,
  );
}
