import {
  type ProfiledPair,
  type ProfileResult,
  prepareArm,
  profileBuilds,
  type ResolvedScenario,
  renderFlameGraph,
  renderSpeedscope,
} from '@weir/bench';
import type { BenchmarkProfileConfig } from '../config/config.ts';
import { ServiceError } from '../errors.ts';
import { artefactTypes } from './artefact-types.ts';
import { cpuProfileOf } from './cpu-profile.ts';
import type { Artefact } from './run-store.ts';

/**
 * Starts both builds of a benchmark, loads them and profiles where their time goes.
 * @throws ServiceError `ERR_WEIR_SERVICE_SCENARIO` when neither it nor the scenario says how a build is run, and what
 * `profileBuilds` throws.
 */
export async function profileArtefacts(
  scenario: ResolvedScenario,
  { start: command, base, head, rounds }: BenchmarkProfileConfig,
  signal: AbortSignal,
): Promise<Artefact[]> {
  const start =
    command === undefined
      ? scenario.start
      : { ready: '/', readyTimeoutMs: 30_000, ...scenario.start, command };
  if (start === undefined)
    throw new ServiceError(
      'ERR_WEIR_SERVICE_SCENARIO',
      'A profile needs `profile.start`, or a scenario with `start`, which says how its builds are run.',
    );
  const directory = process.cwd();
  const before = await prepareArm({ source: base, directory, start, signal });
  try {
    const after = await prepareArm({ source: head, directory, start, signal });
    try {
      return artefactsOf(
        scenario.name,
        await profileBuilds({ base: before, head: after, scenario, rounds, signal }),
      );
    } finally {
      await after.dispose();
    }
  } finally {
    await before.dispose();
  }
}

function artefactsOf(name: string, { pairs, unit, functions, lines }: ProfileResult): Artefact[] {
  const profile = (arm: keyof ProfiledPair): string =>
    JSON.stringify(cpuProfileOf(pairs.map((pair) => pair[arm].times.stacks)));
  const files: readonly (readonly [string, string])[] = [
    ['flame-graph.svg', renderFlameGraph(pairs, unit)],
    ['speedscope.json', renderSpeedscope(pairs, name, unit)],
    ['culprits.json', JSON.stringify({ unit, functions, lines })],
    ['base.cpuprofile', profile('base')],
    ['head.cpuprofile', profile('head')],
  ];
  return files.map(([file, text]) => ({
    name: file,
    type: artefactTypes[file] as string,
    data: new TextEncoder().encode(text),
  }));
}
