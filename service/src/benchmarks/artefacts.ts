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
import type { Artefact } from './run-store.ts';

/** The files that a run can have, with their media types. Others are neither stored nor served. */
export const artefactTypes: Readonly<Record<string, string>> = Object.freeze({
  'flame-graph.svg': 'image/svg+xml',
  'speedscope.json': 'application/json',
  'culprits.json': 'application/json',
  'base.cpuprofile': 'application/json',
  'head.cpuprofile': 'application/json',
  'report.html': 'text/html',
});

/** The most bytes of one file. */
export const maxArtefactBytes = 16_777_216;

/**
 * Starts both builds of a benchmark and profiles them under load.
 * @throws ServiceError `ERR_WEIR_SERVICE_SCENARIO` when neither the profile nor the scenario has a start command; whatever
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
      'A profile needs `profile.start`, or a scenario with `start`, the command that runs a build.',
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

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly scriptId: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly children: number[];
}

/** V8's `.cpuprofile`, as Chrome's developer tools and editors open it. */
interface CpuProfileFile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly endTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/**
 * A CPU profile from self times (µs) by call path: frames joined with `;`, each `name file:line`. Every path is one sample that lasts
 * its total time. Durations are exact; the order of calls is lost.
 */
export function cpuProfileOf(profiles: readonly ReadonlyMap<string, number>[]): CpuProfileFile {
  const nodes: ProfileNode[] = [];
  const children = new Map<ProfileNode, Map<string, ProfileNode>>();
  const add = (frame: string): ProfileNode => {
    const match = /^(.*) (\S+):(\d+)$/.exec(frame);
    const node: ProfileNode = {
      id: nodes.length + 1,
      callFrame: {
        functionName: match?.[1] ?? frame,
        scriptId: '0',
        url: match?.[2] ?? '',
        lineNumber: Number(match?.[3] ?? 0) - 1,
        columnNumber: -1,
      },
      children: [],
    };
    nodes.push(node);
    children.set(node, new Map());
    return node;
  };
  const root = add('(root)');
  const times = new Map<ProfileNode, number>();
  for (const stacks of profiles)
    for (const [stack, us] of stacks) {
      let node = root;
      for (const frame of stack.split(';')) {
        const below = children.get(node) as Map<string, ProfileNode>;
        let child = below.get(frame);
        if (child === undefined) {
          child = add(frame);
          below.set(frame, child);
          node.children.push(child.id);
        }
        node = child;
      }
      times.set(node, (times.get(node) ?? 0) + us);
    }
  const ordered = [...times];
  // A sample lasts until the next one's delta has passed, so a final sample of the root ends the last path.
  const samples = [...ordered.map(([{ id }]) => id), root.id];
  const timeDeltas = [0, ...ordered.map(([, us]) => Math.round(us))];
  return {
    nodes,
    startTime: 0,
    endTime: timeDeltas.reduce((sum, us) => sum + us, 0),
    samples,
    timeDeltas,
  };
}
