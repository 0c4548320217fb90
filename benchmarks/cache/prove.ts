/**
 * `pnpm prove:cache [part ...] [--operations n] [--seed n]`: the cache's claims that take too long for the tests, with the
 * peers as control where a harness must be able to fail. About seven minutes; keeps the whole run's figures in
 * benchmarks/results/cache-proofs.json and ends with `N passed, N failed`.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { deadlineMs, type FaultRow, faults, loadMs, suffer } from './faults.ts';
import { herd } from './herd.ts';
import { endure } from './outage.ts';
import { changeFromOutside, killSubscribers } from './outside-changes.ts';
import { killHolder, race } from './race.ts';
import { redisSubjects } from './subjects.ts';

const out = join(import.meta.dirname, '../results/cache-proofs.json');
const processes = 8;
const outageMs = 240_000;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { operations: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
});
const operations = Number(values.operations);
const seed = Number(values.seed);

interface Claim {
  readonly title: string;
  readonly holds: boolean;
  readonly evidence: unknown;
}

const claims: Claim[] = [];

function claim(title: string, holds: boolean, evidence: unknown): void {
  claims.push({ title, holds, evidence });
  console.log(`${holds ? 'ok    ' : 'FAILED'} ${title}\n       ${JSON.stringify(evidence)}`);
}

async function proveHerd(): Promise<void> {
  const quiet = await herd({ processes, rounds: 20, deadlineMs, hogs: false });
  claim(
    `${processes} processes × 500 callers = 1 load, 20 times in a row with the default deadline`,
    quiet.loads.every((loads) => loads === 1),
    quiet,
  );
  const starved = await herd({ processes, rounds: 10, deadlineMs, hogs: true });
  claim(
    'starved of processor, every load beyond one belongs to a process whose Redis operation passed its deadline',
    starved.unexplained <= 0,
    starved,
  );
  const patient = await herd({ processes, rounds: 10, deadlineMs: 10_000, hogs: true });
  claim(
    'starved as much but with a deadline of 10 s, it is 1 load again',
    patient.loads.every((loads) => loads === 1),
    patient,
  );
}

async function proveLease(): Promise<void> {
  const leaseMs = 1_000;
  const waitedMs: number[] = [];
  for (const holdMs of [0, 100, 200, 320, 350, 500, 700, 900]) {
    waitedMs.push(Math.round(await killHolder(leaseMs, holdMs)));
  }
  claim(
    'SIGKILL of the lease holder: the next load within the lease time',
    Math.max(...waitedMs) <= leaseMs,
    {
      leaseMs,
      waitedMs,
    },
  );
}

async function proveRaces(): Promise<void> {
  const weir = await race({ subject: 'weir', operations, seed, processes });
  const total = weir.reads + weir.updates;
  claim(
    `no read that started after a resolved delete saw the old version, in ${total} operations of ${processes} processes`,
    total >= operations && weir.stale === 0 && weir.errors === 0,
    weir,
  );
  const control = await race({
    subject: 'bentocache',
    operations: Math.min(operations, 20_000),
    seed,
    processes,
  });
  claim('the same harness catches BentoCache', control.stale > 0, control);
}

async function proveFaults(): Promise<void> {
  for (const fault of faults) {
    const rows: FaultRow[] = [];
    for (const subject of redisSubjects) {
      const row = await suffer(subject, fault);
      if (subject !== 'weir') console.log(`       ${JSON.stringify(row)}`);
      rows.push(row);
    }
    const [weir, ...peers] = rows as [FaultRow, ...FaultRow[]];
    const isClean = weir.errors + weir.errorsAfter + weir.unhandled + weir.hung === 0 && !weir.crashed;
    claim(
      `${fault.name}: p99 at most ${loadMs} ms of load and ${deadlineMs} ms of deadline, no error, no unhandled rejection, coherent after it`,
      weir.p99Ms <= loadMs + deadlineMs && isClean && weir.incoherentAfter === 0,
      { weir, peers },
    );
  }
}

async function proveOutages(): Promise<void> {
  const kinds = ['frozen', 'refused'] as const;
  const outages = await Promise.all(kinds.map((how) => endure(how, outageMs)));
  for (const [index, outage] of outages.entries()) {
    claim(
      `a Redis ${kinds[index]} for ${outageMs / 60_000} minutes: the heap grows by less than 100 KiB a minute`,
      outage.slopeKibPerMinute < 100 && outage.errors + outage.unhandled === 0,
      outage,
    );
  }
}

async function proveOutsideChanges(): Promise<void> {
  const { changes, disturbedByForeignKeys } = await changeFromOutside();
  claim(
    'redis-cli DEL, EXPIRE and FLUSHALL leave no instance with the value, whatever the key',
    changes.every((change) => change.evictedMs < 1_000),
    changes,
  );
  claim('foreign keys that are no UTF-8 disturb nobody', disturbedByForeignKeys === 0, {
    disturbedByForeignKeys,
  });
  const killed = await killSubscribers(100);
  claim('the subscriber killed during a load leaves no old value behind', killed.stale === 0, killed);
}

const parts: Readonly<Record<string, () => Promise<void>>> = {
  herd: proveHerd,
  lease: proveLease,
  outside: proveOutsideChanges,
  faults: proveFaults,
  // The heap is not a matter of pace: it is watched while the races run.
  races: proveRaces,
  outages: proveOutages,
};
const isWhole = positionals.length === 0;
const unknown = positionals.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`Unknown part ${unknown.join(', ')}. Known: ${Object.keys(parts).join(', ')}.`);
  process.exit(64);
}
const wants = (name: string) => isWhole || positionals.includes(name);
const startedAt = performance.now();
for (const name of ['herd', 'lease', 'outside', 'faults']) if (wants(name)) await parts[name]?.();
await Promise.all(['races', 'outages'].filter(wants).map((name) => parts[name]?.()));

const failed = claims.filter(({ holds }) => !holds).length;
if (isWhole) {
  const environment = {
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
    date: new Date().toISOString(),
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  };
  await mkdir(join(out, '..'), { recursive: true });
  await writeFile(out, `${JSON.stringify({ environment, operations, seed, claims }, null, 2)}\n`);
}
console.log(`${claims.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
