import { Labels } from '@weir/promql';
import { createToken, type Role, roles } from '../auth/tokens.ts';
import { loadConfig } from '../config/load-config.ts';
import { ServiceError } from '../errors.ts';
import { askService, type ServiceAddress } from './ask-service.ts';

/** The lines of `weir check-config`. @throws ServiceError with every mistake. */
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

/** The text of `weir token`: the token, shown this once, and the entry for `auth.tokens`. */
export function newToken(name: string, role: string): string {
  if (!roles.includes(role as Role)) {
    throw new ServiceError(
      'ERR_WEIR_SERVICE_ARGUMENTS',
      `Expected --role to be one of ${roles.join(', ')}, got ${role}.`,
    );
  }
  const { token, sha256 } = createToken();
  const entry = JSON.stringify({ name, role, sha256 });
  return `${token}\n\nKeep it now: it is not shown again. Add this to \`auth.tokens\`:\n${entry}`;
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
