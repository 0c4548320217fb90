import type dns from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { createRequire } from 'node:module';
import type { ResolvedScenario } from '@weir/bench';
import { ServiceError } from '../errors.ts';
import { version } from '../version.ts';

/** The parts of a scenario that limits apply to. */
interface LoadRequest {
  readonly target: string;
  readonly connections: number;
  readonly durationMs: number;
  readonly warmupMs: number;
}

export interface LoadLimits {
  /** Hosts besides loopback: `host`, `host:port`, a CIDR, or a CIDR with `:port`. */
  readonly allow: readonly string[];
  readonly maxConnections: number;
  readonly maxDurationMs: number;
}

/** @throws ServiceError `ERR_WEIR_SERVICE_SCENARIO` when the scenario exceeds a limit. */
export function assertWithinLimits(request: LoadRequest, limits: LoadLimits): void {
  const durationMs = request.durationMs + request.warmupMs;
  if (request.connections > limits.maxConnections) {
    throw new ServiceError(
      'ERR_WEIR_SERVICE_SCENARIO',
      `The scenario has ${request.connections} connections; \`load.maxConnections\` is ${limits.maxConnections}.`,
    );
  }
  if (durationMs > limits.maxDurationMs) {
    throw new ServiceError(
      'ERR_WEIR_SERVICE_SCENARIO',
      `The scenario takes ${durationMs} ms; \`load.maxDuration\` is ${limits.maxDurationMs} ms.`,
    );
  }
}

/**
 * Makes this process resolve `host` to the checked addresses and refuse every other name, so that a later answer of a name server has
 * no effect. For the load process only: it replaces `dns.lookup`, which sockets use.
 */
export function pinLookups(host: string, addresses: readonly LookupAddress[]): void {
  const lookup = ((name: string, given: unknown, last?: unknown) => {
    const callback = (last ?? given) as (error: Error | null, address: unknown, family?: number) => void;
    const options = typeof given === 'object' && given !== null ? (given as { all?: boolean }) : {};
    if (name.toLowerCase() !== host)
      callback(new Error(`${name} is not the target of this benchmark.`), '', 0);
    else if (options.all === true) callback(null, [...addresses]);
    else callback(null, addresses[0]?.address, addresses[0]?.family);
  }) as unknown as typeof dns.lookup;
  const mutable = createRequire(import.meta.url)('node:dns') as { lookup: typeof dns.lookup };
  mutable.lookup = lookup;
}

const own = `weir/${version} (benchmark)`;

/** The scenario with Weir's User-Agent on every request that does not set one. */
export function identifyLoad(scenario: ResolvedScenario): ResolvedScenario {
  const named = <T extends { readonly headers?: Readonly<Record<string, string>> }>(request: T): T =>
    Object.keys(request.headers ?? {}).some((name) => name.toLowerCase() === 'user-agent')
      ? request
      : { ...request, headers: { ...request.headers, 'user-agent': own } };
  return {
    ...scenario,
    requests: scenario.requests.map(named),
    ...(scenario.flows === undefined
      ? {}
      : { flows: scenario.flows.map((flow) => ({ ...flow, steps: flow.steps.map(named) })) }),
  };
}
