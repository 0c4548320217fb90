/**
 * `pnpm prove:cache [operations]`: the cache's claims that take too long for the tests, with BentoCache as control where a
 * harness must be able to fail. Ends with `N passed, N failed`.
 */
import { faultTable } from './faults.ts';
import { killHolder, race } from './race.ts';

const operations = Number(process.argv[2] ?? 100_000);
const seed = Number(process.argv[3] ?? 1);
let passed = 0;
let failed = 0;

function claim(title: string, holds: boolean, evidence: unknown): void {
  if (holds) passed += 1;
  else failed += 1;
  console.log(`${holds ? 'ok    ' : 'FAILED'} ${title}\n       ${JSON.stringify(evidence)}`);
}

const herd = await race('herd', 8 * 500, seed);
claim('8 processes × 500 callers = 1 load', herd.loads === 1, herd);

const leaseMs = 5_000;
const waitedMs = Math.round(await killHolder(leaseMs));
claim('SIGKILL of the lease holder: the next load within the lease time', waitedMs <= leaseMs + 100, {
  leaseMs,
  waitedMs,
});

const weir = await race('weir', operations, seed);
const total = weir.reads + weir.updates;
claim(
  `no read that started after a resolved delete saw the old version, in ${total} operations of 8 processes`,
  total >= operations && weir.stale === 0 && weir.errors === 0,
  weir,
);
const control = await race('bentocache', Math.min(operations, 20_000), seed);
claim('the same harness catches BentoCache', control.stale > 0, control);

for (const { title, holds, evidence } of await faultTable()) claim(title, holds, evidence);

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
