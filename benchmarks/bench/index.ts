/** `pnpm bench:peers bench [rounds]`: the generator against autocannon and wrk, interleaved, on the same server. */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { accuracy } from './accuracy.ts';
import { arrivals } from './arrivals.ts';
import { spread } from './spread.ts';
import { hasWrk, type Measured, measure, measureWrk, startServer } from './subjects.ts';

/** Rounds of the speed comparison, of which the accuracy takes at most three; the default takes about five minutes on two processors. */
export async function run(args: string[]): Promise<void> {
  const rounds = Number(args[0] ?? 7);
  if (!Number.isInteger(rounds) || rounds < 1 || availableParallelism() < 2 || process.platform !== 'linux') {
    console.error('Usage: pnpm bench:peers bench [rounds], on Linux with two processors and taskset');
    process.exitCode = 64;
    return;
  }
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const environment = {
    node: process.versions.node,
    cpu: cpus()[0]?.model ?? '',
    cores: availableParallelism(),
    commit,
    date: new Date().toISOString(),
  };
  const results = {
    environment,
    rounds,
    speed: await speed(rounds),
    accuracy: await accuracy(Math.min(rounds, 3)),
    arrivals: await arrivals(),
  };
  const directory = join(import.meta.dirname, '../results');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'bench.json'), `${JSON.stringify(results, null, 2)}\n`);
}

/** Closed loop at full speed: answers a second and processor time a request, and both against autocannon in the same round. */
async function speed(rounds: number): Promise<Record<string, object>> {
  const tools = ['@weir/bench', 'autocannon', ...(hasWrk() ? ['wrk'] : [])];
  const load = { seconds: 4, connections: 50 };
  const rows: Record<string, Measured>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const row: Record<string, Measured> = {};
    // Who begins changes from round to round.
    for (let turn = 0; turn < tools.length; turn += 1) {
      const name = tools[(round + turn) % tools.length] ?? '';
      const server = await startServer();
      row[name] = await (name === 'wrk'
        ? measureWrk(server.origin, load)
        : measure(name === 'autocannon' ? 'autocannon' : 'weir', server.origin, load));
      await server.stop();
    }
    rows.push(row);
  }
  const read = (name: string, key: 'perSecond' | 'cpuUs'): number[] =>
    rows.map((row) => row[name]?.[key] ?? 0);
  const against = (name: string, key: 'perSecond' | 'cpuUs'): number[] => {
    const base = read('autocannon', key);
    return read(name, key).map((value, round) => value / (base[round] ?? 1));
  };
  const table = Object.fromEntries(
    tools.map((name) => [
      name,
      {
        perSecond: spread(read(name, 'perSecond'), 0),
        cpuUs: spread(read(name, 'cpuUs'), 2),
        perSecondOfAutocannon: spread(against(name, 'perSecond'), 2),
        cpuOfAutocannon: spread(against(name, 'cpuUs'), 2),
      },
    ]),
  );
  console.log('Closed loop, 50 connections: median [lowest, highest]');
  console.table(
    Object.fromEntries(
      Object.entries(table).map(([name, row]) => [
        name,
        Object.fromEntries(
          Object.entries(row).map(([key, { median, min, max }]) => [key, `${median} [${min}, ${max}]`]),
        ),
      ]),
    ),
  );
  return table;
}
