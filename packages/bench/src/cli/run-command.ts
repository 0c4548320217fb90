import { parseArgs } from 'node:util';
import { ServiceRequestError } from '../errors.ts';
import { openHistory } from '../history/open-history.ts';
import { runAtService, type ServiceAddress } from '../load/run-at-service.ts';
import { runBenchmark } from '../load/run-benchmark.ts';
import { assertWritable, attemptAll, writeOutput } from '../process/output-files.ts';
import { liveProgress } from '../report/live.ts';
import { parseReport, renderReport, reportTasks } from '../report/write-reports.ts';
import type { BenchmarkResult } from '../result/result.ts';
import { changeScenario, loadScenario } from '../scenario/scenario.ts';
import { type Command, type CommandContext, exitCode, UsageError } from './command.ts';

const usage = `weir-bench run <file> [options]
weir-bench run <name> --service <url> [options]

Runs the scenario of a .json, .ts or .js file and prints the result. With --service, a Weir service runs a benchmark of
its configuration (token in WEIR_TOKEN).

  --json <file>    write the result as JSON (- for standard output, which then holds nothing else)
  --slo <text>     an additional objective, e.g. "p99 < 250ms" (repeatable)
  --allow <host>   allow a target other than loopback: host, host:port or *.domain (repeatable)
  --history <place>  append the result to a directory, git:<branch>, or a Weir service (its URL)
  --report <kind>=<file>  text, html, markdown, junit, csv, json, prometheus, github (repeatable)
  --ignore-doubts  report doubts without exit code 3
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
      service: { type: 'string' },
      report: { type: 'string', multiple: true },
      'ignore-doubts': { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
    },
  });
  const [file, ...rest] = positionals;
  if (file === undefined) throw new UsageError('expected a scenario file: weir-bench run <file>');
  if (rest.length > 0) throw new UsageError(`expected one scenario file, got also \`${rest[0]}\``);
  const reports = (values.report ?? []).map((text) => parseReport(text, 'run'));
  const token = process.env.WEIR_TOKEN;
  const history = values.history === undefined ? undefined : openHistory(values.history, { token });
  const { slo = [], allow = [], service, quiet } = values;
  if (service !== undefined && (slo.length > 0 || allow.length > 0))
    throw new UsageError('--slo and --allow are for local runs; a service has its own settings');
  const json = values.json === '-' ? undefined : values.json;
  for (const out of [json, ...reports.map((report) => report.file)])
    if (out !== undefined) await assertWritable(out);
  await history?.assertWritable();
  const result =
    service === undefined
      ? await runHere(file, slo, allow, quiet, context)
      : await runThere(file, { url: service, ...(token === undefined ? {} : { token }) }, quiet, context);
  if (result === undefined) return exitCode.interrupted;
  const subject = { kind: 'run', result } as const;
  context.stdout.write(renderReport(subject, values.json === '-' ? 'json' : 'text'));
  // With --json -, standard output holds only the result.
  const stdout = values.json === '-' ? context.stderr : context.stdout;
  await attemptAll(
    [
      ...(json === undefined ? [] : [() => writeOutput(json, renderReport(subject, 'json'))]),
      ...reportTasks(subject, reports, { env: process.env, stdout }),
      async () => {
        const place = await history?.append(result);
        if (place !== undefined && !quiet) context.stderr.write(`appended to ${place}\n`);
      },
    ],
    (message) => context.stderr.write(`weir-bench: ${message}\n`),
  );
  return exitCodeOfResult(result, values['ignore-doubts'], context);
}

async function runHere(
  file: string,
  slo: readonly string[],
  allowTargets: readonly string[],
  quiet: boolean,
  context: CommandContext,
): Promise<BenchmarkResult> {
  const loaded = await loadScenario(file);
  const scenario = changeScenario(loaded, { objectives: [...loaded.objectives, ...slo] });
  const live = liveProgress(context.stderr);
  return runBenchmark(scenario, {
    signal: context.signal,
    allowTargets,
    ...(quiet ? {} : { onProgress: (progress) => live.update(progress) }),
  }).finally(() => live.end());
}

/** @returns `undefined` when it was cancelled before anything was measured */
async function runThere(
  benchmark: string,
  service: ServiceAddress,
  quiet: boolean,
  context: CommandContext,
): Promise<BenchmarkResult | undefined> {
  const live = liveProgress(context.stderr);
  const run = await runAtService({
    service,
    benchmark,
    signal: context.signal,
    ...(quiet
      ? {}
      : {
          onProgress: (progress) => live.update(progress),
          onRun: ({ id, status }) => context.stderr.write(`run ${id} is ${status}\n`),
        }),
  }).finally(() => live.end());
  if (run.result !== null) return run.result;
  if (context.signal.aborted) return undefined;
  throw new ServiceRequestError(
    service.url,
    `ended the run as ${run.status}: ${run.error ?? 'it has no result'}`,
  );
}

function exitCodeOfResult(result: BenchmarkResult, ignoreDoubts: boolean, context: CommandContext): number {
  if (context.signal.aborted) return exitCode.interrupted;
  if (result.requests.ok + result.requests.non2xx === 0) {
    context.stderr.write('weir-bench: no request was answered, so the run measured nothing.\n');
    return exitCode.invalid;
  }
  if (result.doubts.length > 0 && !ignoreDoubts) return exitCode.invalid;
  return result.objectives.every((objective) => objective.met) ? exitCode.pass : exitCode.regression;
}

/** `weir-bench run`. */
export const runCommand: Command = { usage, run };
