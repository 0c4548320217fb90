import { join } from 'node:path';
import type { Arm } from '../../src/index.ts';
import { profileBuilds } from '../../src/index.ts';

/** Where slow code was named, over all functions into which it was put. */
export interface CulpritProof {
  readonly functions: number;
  readonly first: number;
  readonly amongThree: number;
  /** Comparisons of a build with itself, and those that named anything. */
  readonly unchanged: number;
  readonly falselyNamed: number;
}

const scenario = { name: 'culprits', target: 'http://127.0.0.1:1', requests: [{ path: '/' }] };
const load = { warmupMs: 1_500, durationMs: 2_000 };

/** Puts slow code into each of `functions` in turn, and compares the build with itself as often. About 25 s each. */
export async function proveCulprits(functions: number, log: (line: string) => void): Promise<CulpritProof> {
  const proof = { functions, first: 0, amongThree: 0, unchanged: functions, falselyNamed: 0 };
  for (let slow = 0; slow < functions; slow += 1) {
    const changed = await profileBuilds({ base: arm(-1), head: arm(slow), scenario, load });
    const place = changed.functions.findIndex(({ name }) => name.split(' ')[0] === `step${slow}`);
    if (place === 0) proof.first += 1;
    if (place >= 0 && place < 3) proof.amongThree += 1;
    const unchanged = await profileBuilds({ base: arm(-1), head: arm(-1), scenario, load });
    if (unchanged.functions.length > 0) proof.falselyNamed += 1;
    log(`step${slow}: named at place ${place + 1}; ${unchanged.functions.length} named without a change`);
  }
  return proof;
}

function arm(slow: number): Arm {
  const script = join(import.meta.dirname, 'culprit-server.ts');
  const command = `SLOW=${slow} exec "${process.execPath}" "${script}"`;
  return {
    directory: import.meta.dirname,
    start: { command, ready: '/', readyTimeoutMs: 30_000 },
    label: String(slow),
  };
}
