import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { appendHistory } from '../history/history.ts';
import { loadScenario } from '../load-scenario.ts';
import { liveProgress } from '../report/live.ts';
import { renderTable } from '../report/table.ts';
import { parseReport, writeReports } from '../report/write-reports.ts';
import type { BenchmarkResult } from '../result.ts';
import { runBenchmark } from '../run-benchmark.ts';
import { parseScenario } from '../scenario.ts';
import type { Command, CommandContext } from './command.ts';
import { exitCode } from './exit-code.ts';
import { UsageError } from './usage-error.ts';

const usage = `weir-bench run <file> [options]

Runs the scenario of a .json, .ts or .js file and prints what it measured.

  --json <file>    write the result as JSON (- for standard output, then nothing else is printed there)
  --slo <text>     an objective beside the scenario's, e.g. "p99 < 250ms" (repeatable)
  --allow <host>   a target besides loopback: host, host:port or *.domain (repeatable)
  --history <dir>  append the result to <dir>/<name>.jsonl
  --report <kind>=<file>  html, markdown, junit, csv, json, prometheus (repeatable)
  --ignore-doubts  report them, but do not exit with 3 for them
  --quiet          no progress`;

async function run(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      slo: { type: 'string', multiple: true },
      allow: { type: 'string', multiple: true },
      history: { type: 'string' },
      report: { type: 'string', multiple: true },
      'ignore-doubts': { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
    },
  });
  const [file, ...rest] = positionals;
  if (file === undefined) throw new UsageError('expected a scenario file: weir-bench run <file>');
  if (rest.length > 0) throw new UsageError(`expected one scenario file, got also \`${rest[0]}\``);
  const loaded = await loadScenario(file);
  const scenario = parseScenario({ ...loaded, objectives: [...loaded.objectives, ...(values.slo ?? [])] });
  const reports = (values.report ?? []).map(parseReport);
  const live = liveProgress(context.stderr);
  const result = await runBenchmark(scenario, {
    signal: context.signal,
    allowTargets: values.allow ?? [],
    ...(values.quiet ? {} : { onProgress: (progress) => live.update(progress) }),
  }).finally(() => live.end());
  const json = `${JSON.stringify(result, null, 2)}\n`;
  if (values.json === '-') context.stdout.write(json);
  else context.stdout.write(`${renderTable(result)}\n`);
  if (values.json !== undefined && values.json !== '-') await writeFile(values.json, json);
  await writeReports({ kind: 'run', result }, reports, { env: process.env, stdout: context.stdout });
  if (values.history !== undefined) await appendHistory(values.history, result);
  return exitCodeOfResult(result, values['ignore-doubts'], context);
}

function exitCodeOfResult(result: BenchmarkResult, ignoreDoubts: boolean, context: CommandContext): number {
  if (context.signal.aborted) return exitCode.interrupted;
  if (result.requests.ok + result.requests.non2xx === 0) {
    context.stderr.write('weir-bench: not one request was answered; this run measured nothing.\n');
    return exitCode.invalid;
  }
  if (result.doubts.length > 0 && !ignoreDoubts) return exitCode.invalid;
  return result.objectives.every((objective) => objective.met) ? exitCode.pass : exitCode.regression;
}

/** `weir-bench run`: 0 when the run is whole and something was answered. */
export const runCommand: Command = { usage, run };
