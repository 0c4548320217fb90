/**
 * `pnpm prove:dashboards`: provokes every condition on a live shop, wants its alert, and only it, to fire in a real
 * Prometheus and in the service, and then asks both engines every query of every dashboard and rule.
 * About seven minutes; ends with code 1 on any fault.
 */

import { compare, panelQueries, ruleQueries } from '../test/live/agreement.ts';
import { alarms, meetAll, rehearse } from '../test/live/alarms.ts';
import { startLiveSystem } from '../test/live/live-system.ts';

const only = process.argv.slice(2);
const timeoutMs = 75_000;
let faults = 0;

const startedMs = Date.now();
const system = await startLiveSystem({ scrapeInterval: '500ms', timeScale: 0.015 }, meetAll);
try {
  console.log(`started in ${seconds(Date.now() - startedMs)}\n`);
  console.log('| condition | alerts | Prometheus | service | symptoms | faults |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const alarm of alarms) {
    if (only.length > 0 && !only.includes(alarm.condition)) continue;
    const { fired, symptoms, faults: found } = await rehearse(system, alarm, timeoutMs);
    faults += found.length;
    const cells = [
      alarm.condition,
      alarm.fires.join(', '),
      `${fired.prometheus?.toFixed(1) ?? '–'} s`,
      `${fired.service?.toFixed(1) ?? '–'} s`,
      symptoms.join(', '),
      found.join('; '),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  const { firstMs, lastMs } = system.recorded();
  const range = { start: Math.ceil(firstMs / 1000), end: Math.floor(lastMs / 1000) - 2 };
  console.log(`\nrecorded ${range.end - range.start} s`);
  for (const [what, queries] of [
    ['panels and marks', panelQueries()],
    ['rules', ruleQueries(system.settings, 40)],
  ] as const) {
    let points = 0;
    let empty = 0;
    for (const query of queries) {
      const result = await compare(system, query, range);
      points += result.points;
      if (result.points === 0) empty += 1;
      faults += result.faults.length;
      for (const fault of result.faults) console.log(`FAULT ${fault}`);
    }
    console.log(`${what}: ${queries.length} queries, ${points} points compared, ${empty} without an answer`);
  }
} finally {
  await system.stop();
}
console.log(`\n${faults} faults in ${seconds(Date.now() - startedMs)}`);
process.exitCode = faults === 0 ? 0 : 1;

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(0)} s`;
}
