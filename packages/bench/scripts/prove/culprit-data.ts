import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Arm, ProfiledArm, ProfiledPair } from '../../src/index.ts';
import { findCulprits, profileBuilds } from '../../src/index.ts';

/** Profiles of one comparison. `slow`: the function that got slow code, or −1 when head is base. */
interface CulpritRow {
  readonly slow: number;
  readonly trial: number;
  readonly pairs: readonly ProfiledPair[];
}

/** Where slow code was named, over all functions into which it was put. */
export interface CulpritProof {
  readonly functions: number;
  readonly first: number;
  readonly amongThree: number;
  /** Comparisons of a build with itself, and those that named anything. */
  readonly unchanged: number;
  readonly falselyNamed: number;
  readonly complete: boolean;
  readonly comparisons: readonly {
    readonly slow: string;
    /** From 1; 0 when it was not named. */
    readonly place: number;
    readonly named: readonly string[];
  }[];
}

const functions = 20;
const scenario = { name: 'culprits', target: 'http://127.0.0.1:1', requests: [{ path: '/' }] };
const load = { warmupMs: 1_500, durationMs: 2_000 };
/** Whole profiles, a few megabytes: kept to go on later and to judge by another rule, not committed. */
const directory = join(import.meta.dirname, '../../.weir/prove');
const dataFile = join(directory, 'culprits.jsonl');

/** Measures what is still missing, a change and no change in turn, until `deadline`. */
export async function measureCulprits(deadline: number, log: (line: string) => void): Promise<CulpritRow[]> {
  await mkdir(directory, { recursive: true });
  const rows = await readRows();
  for (let trial = 0; trial < functions; trial += 1) {
    for (const slow of [trial, -1]) {
      if (rows.some((row) => row.trial === trial && row.slow === slow)) continue;
      if (Date.now() > deadline) return rows;
      const { pairs, functions: named } = await profileBuilds({
        base: arm(-1),
        head: arm(slow),
        scenario,
        load,
      });
      rows.push({ slow, trial, pairs });
      await appendFile(dataFile, `${JSON.stringify({ slow, trial, pairs: pairs.map(pack) })}\n`);
      log(
        `${slow < 0 ? 'no change' : `step${slow}`}: ${named.map(({ name }) => name).join(', ') || 'none named'}`,
      );
    }
  }
  return rows;
}

/** Applies the rule to every comparison. */
export function judgeCulprits(rows: readonly CulpritRow[]): CulpritProof {
  const comparisons = rows.map(({ slow, pairs }) => {
    const named = findCulprits(pairs).functions.map(({ name }) => name);
    return {
      slow: slow < 0 ? 'none' : `step${slow}`,
      place: named.findIndex((name) => name.split(' ')[0] === `step${slow}`) + 1,
      named,
    };
  });
  const changed = comparisons.filter(({ slow }) => slow !== 'none');
  const unchanged = comparisons.filter(({ slow }) => slow === 'none');
  return {
    functions: changed.length,
    first: changed.filter(({ place }) => place === 1).length,
    amongThree: changed.filter(({ place }) => place >= 1 && place <= 3).length,
    unchanged: unchanged.length,
    falselyNamed: unchanged.filter(({ named }) => named.length > 0).length,
    complete: changed.length >= functions && unchanged.length >= functions,
    comparisons,
  };
}

type Packed<T> = Omit<T, 'times'> & { stacks: [string, number][]; totalUs: number; samples: number };

function pack({ base, head }: ProfiledPair): object {
  const arm = ({ times, ...rest }: ProfiledArm): Packed<ProfiledArm> => ({
    ...rest,
    stacks: [...times.stacks],
    totalUs: times.totalUs,
    samples: times.samples,
  });
  return { base: arm(base), head: arm(head) };
}

async function readRows(): Promise<CulpritRow[]> {
  const text = await readFile(dataFile, 'utf8').catch(() => '');
  const unpack = ({ stacks, totalUs, samples, ...rest }: Packed<ProfiledArm>): ProfiledArm => ({
    ...rest,
    times: { stacks: new Map(stacks), lines: new Map(), totalUs, samples },
  });
  return text.split('\n').flatMap((line) => {
    try {
      const { slow, trial, pairs } = JSON.parse(line);
      return [
        {
          slow,
          trial,
          pairs: pairs.map((pair: { base: Packed<ProfiledArm>; head: Packed<ProfiledArm> }) => ({
            base: unpack(pair.base),
            head: unpack(pair.head),
          })),
        },
      ];
    } catch {
      // The last line of a run that was cut off.
      return [];
    }
  });
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
