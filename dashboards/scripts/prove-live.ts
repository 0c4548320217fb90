/**
 * `pnpm prove:dashboards`: provokes every condition on a live shop, wants its alert, and only it, to fire in a real
 * Prometheus and in the service, and asks both engines every query of every dashboard and rule. About four minutes; ends
 * with code 1 on any fault and leaves its figures in `benchmarks/results/dashboards-proof.json`. With names of conditions,
 * it provokes those alone, asks nothing and keeps nothing.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { compare, panelQueries, ruleQueries } from '../test/live/agreement.ts';
import { alarms, meetAll, type Rehearsal, rehearse, scrapeFailure } from '../test/live/alarms.ts';
import { type LiveSystem, startLiveSystem } from '../test/live/live-system.ts';

const root = join(import.meta.dirname, '../..');
const file = join(root, 'benchmarks/results/dashboards-proof.json');
const only = process.argv.slice(2);
/** The overload takes the longest, and as long as the shedder holds the loop just below saturation. */
const timeoutMs = 120_000;
/** Windows of rules are cut to this, so that the recording is longer. */
const longestSeconds = 40;
const options = { scrapeInterval: '500ms', timeScale: 0.015 } as const;

const startedMs = Date.now();
const system = await startLiveSystem(options, meetAll);
try {
  const startSeconds = since(startedMs);
  console.log('| condition | alerts | Prometheus | service | symptoms | faults |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  const conditions: (Rehearsal & { readonly alerts: readonly string[] })[] = [];
  const provokeAll = async (list: typeof alarms): Promise<void> => {
    for (const alarm of list) {
      if (only.length > 0 && !only.includes(alarm.condition)) continue;
      const rehearsal = await rehearse(system, alarm, timeoutMs);
      const { condition, fired, symptoms, faults } = rehearsal;
      conditions.push({ condition, alerts: alarm.fires, fired, symptoms, faults });
      const [prometheus, service] = [fired.prometheus, fired.service].map(
        (at) => `${at?.toFixed(1) ?? '–'} s`,
      );
      const cells = [
        condition,
        alarm.fires.join(', '),
        prometheus,
        service,
        symptoms.join(', '),
        faults.join('; '),
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
  };
  await provokeAll(alarms);
  const queries = only.length === 0 ? await compareAll(system) : undefined;
  await provokeAll([scrapeFailure]);
  const faults = [...conditions.flatMap((one) => one.faults), ...(queries?.faults ?? [])];
  console.log(`\n${faults.length} faults in ${since(startedMs)} s`);
  if (queries !== undefined) {
    const report = {
      machine: await machine(system.prometheusUrl),
      options,
      startSeconds,
      conditions,
      ...queries,
      seconds: since(startedMs),
    };
    writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  }
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  await system.stop();
}

interface Tally {
  queries: number;
  empty: string[];
  points: number;
  skipped: number;
}

/** Asks both engines everything; what came of it by dashboard. */
async function compareAll(live: LiveSystem): Promise<{
  readonly recordedSeconds: number;
  readonly tallies: Readonly<Record<string, Tally>>;
  readonly faults: readonly string[];
}> {
  const { firstMs, lastMs } = live.recorded();
  const range = { start: Math.ceil(firstMs / 1000), end: Math.floor(lastMs / 1000) - 2 };
  const recordedSeconds = range.end - range.start;
  console.log(`\nrecorded ${recordedSeconds} s\n`);
  const tallies: Record<string, Tally> = {};
  const faults: string[] = [];
  for (const query of [...panelQueries(), ...ruleQueries(live.settings, longestSeconds)]) {
    const result = await compare(live, query, range);
    tallies[query.of] ??= { queries: 0, empty: [], points: 0, skipped: 0 };
    const tally = tallies[query.of] as Tally;
    tally.queries += 1;
    tally.points += result.points;
    tally.skipped += result.skipped;
    if (result.isEmpty) tally.empty.push(query.where);
    faults.push(...result.faults);
  }
  for (const [of, { queries, empty, points, skipped }] of Object.entries(tallies))
    console.log(
      `${of}: ${queries} queries, ${points} points equal, ${skipped} skipped, ${empty.length} without answer`,
    );
  for (const fault of faults) console.log(`FAULT ${fault}`);
  console.log();
  return { recordedSeconds, tallies, faults };
}

async function machine(prometheusUrl: string): Promise<object> {
  const answer = await fetch(`${prometheusUrl}/api/v1/status/buildinfo`);
  const { data } = (await answer.json()) as { data: { version: string } };
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' });
  return {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    prometheus: data.version,
    commit: commit.trim(),
  };
}

function since(ms: number): number {
  return Math.round((Date.now() - ms) / 1000);
}
