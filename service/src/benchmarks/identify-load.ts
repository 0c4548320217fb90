import type { ResolvedScenario } from '@weir/bench';
import { version } from '../version.ts';

const own = `weir/${version} (benchmark)`;

/** The scenario with a User-Agent that says who makes this load, wherever it names none itself. */
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
