import { type GuardedServer, startGuarded } from './guarded-server.ts';
import { capacityOf, type LoadReport, openLoop, timeoutMs } from './open-loop.ts';
import { type Proof, rounded } from './report.ts';

const loads = [0.5, 0.7, 1, 1.2, 1.5, 2, 3];
const guards = ['vegas', 'gradient2', 'aimd', 'under-pressure', 'nothing'];
const ours = new Set(['vegas', 'gradient2', 'aimd']);
const usualMs = 20;
const loadMs = 3000;
const slowMs = 8000;
const driftMs = 18_000;

type Figures = ReturnType<LoadReport['figures']>;

/** Open-loop load from 0.5 to 3 × capacity, steps to three times slower and back, and a long run at 1.2 ×. */
export async function proveOverload(): Promise<Proof> {
  const bare = await startGuarded('nothing');
  await capacityOf(bare.port, 40, 1500);
  const capacity = await capacityOf(bare.port, 40, 3000);
  bare.stop();
  console.log(
    `\noverload: 10 workers of ${usualMs} ms do ${capacity.toFixed(0)} requests a second; callers give up after ${timeoutMs} ms, a tenth is critical`,
  );
  const figures: Record<string, object> = {};
  const broken: string[] = [];
  for (const guard of guards) {
    const server = await startGuarded(guard);
    try {
      console.log(`  ${guard}`);
      figures[guard] = await stages(guard, server, capacity, broken);
    } finally {
      server.stop();
    }
  }
  for (const line of broken) console.error(`  broken: ${line}`);
  return {
    held: broken.length === 0,
    figures: { capacityPerSecond: Math.round(capacity), timeoutMs, guards: figures },
  };
}

async function stages(
  guard: string,
  server: GuardedServer,
  capacity: number,
  broken: string[],
): Promise<Record<string, object>> {
  const rows: Record<string, object> = {};
  const fire = (load: number, durationMs: number): Promise<LoadReport> =>
    openLoop(server.port, load * capacity, durationMs, capacity);
  const note = (name: string, found: Figures, wanted: Partial<Figures> = {}): void => {
    const { goodput, critical, refused, p99Ms } = found;
    rows[name] = Object.fromEntries(Object.entries(found).map(([key, value]) => [key, rounded(value)]));
    console.log(
      `    ${name.padEnd(26)} goodput ÷ capacity ${goodput.toFixed(2)}, critical ok ${critical.toFixed(3)}, refused ${refused.toFixed(3)}, p99 of served ${p99Ms.toFixed(0)} ms`,
    );
    if (!ours.has(guard)) return;
    if (refused > (wanted.refused ?? 1)) broken.push(`${guard}, ${name}: refused ${refused.toFixed(4)}`);
    if (goodput < (wanted.goodput ?? 0)) broken.push(`${guard}, ${name}: goodput ${goodput.toFixed(3)}`);
    if (critical < (wanted.critical ?? 0.99))
      broken.push(`${guard}, ${name}: critical ${critical.toFixed(4)}`);
  };

  // What a new process is slow at (compiling, connecting) is no overload.
  await fire(0.3, 1500);
  for (const load of loads) {
    // Three seconds may hold a whole probe of the latency floor; the long run says what probes cost.
    const wanted = load < 1 ? { refused: 0.005 } : { goodput: 0.8 };
    note(`${load}×`, (await fire(load, loadMs)).figures(), wanted);
    await server.idle();
  }
  await server.slow(usualMs * 3);
  const slow = await fire(1.2, slowMs);
  note('1.2×, 3× slower, 0–2 s', slow.figures(0, 2000), { critical: 0.9 });
  note('1.2×, 3× slower, later', slow.figures(2000), { goodput: 0.28 });
  await server.slow(usualMs);
  const back = await fire(1.2, 6000);
  note('1.2×, usual again, 0–2 s', back.figures(0, 2000), { critical: 0.95 });
  note('1.2×, usual again, later', back.figures(2000), { goodput: 0.9 });
  const recoveryMs = back.recoveryMs();
  rows.recovery = { recoveryMs };
  console.log(`    recovery                   ${recoveryMs} ms to nine tenths of capacity`);
  if (ours.has(guard)) rows.drift = await drift(server, fire, note);
  return rows;
}

/** A long run at 1.2 ×: the limit and the goodput of its last third against those of its first. */
async function drift(
  server: GuardedServer,
  fire: (load: number, durationMs: number) => Promise<LoadReport>,
  note: (name: string, found: Figures, wanted: Partial<Figures>) => void,
): Promise<object> {
  const limits: number[] = [];
  const sampler = setInterval(() => void server.limit().then((limit) => limits.push(limit ?? 0)), 250);
  const report = await fire(1.2, driftMs);
  clearInterval(sampler);
  const third = driftMs / 3;
  note('1.2×, long run, first third', report.figures(0, third), { goodput: 0.9 });
  note('1.2×, long run, last third', report.figures(2 * third), { goodput: 0.9 });
  const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
  const size = Math.floor(limits.length / 3);
  const [first, last] = [mean(limits.slice(0, size)), mean(limits.slice(-size))];
  console.log(`    limit in the long run      ${first.toFixed(1)} at first, ${last.toFixed(1)} at last`);
  return { meanLimitFirstThird: rounded(first), meanLimitLastThird: rounded(last), seconds: driftMs / 1000 };
}
