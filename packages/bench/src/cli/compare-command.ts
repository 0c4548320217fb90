import { parseArgs } from 'node:util';
import { compareBuilds, type DuetLoad } from '../compare/compare-builds.ts';
import { type CompareDesign, chooseDesign } from '../compare/duet-plan.ts';
import type { Arm } from '../compare/measure-pair.ts';
import { type PreparedArm, prepareArm } from '../compare/prepare-arm.ts';
import { BenchError } from '../errors.ts';
import { assertDirectory, assertWritable, attemptAll, writeOutput } from '../process/output-files.ts';
import type { ProfileResult } from '../profile/profile-builds.ts';
import { signed } from '../report/table.ts';
import { parseReport, renderReport, reportTasks } from '../report/write-reports.ts';
import { loadScenario, type Scenario } from '../scenario/scenario.ts';
import { type SequentialPlan, sequentialDefaults, slicesPlan } from '../stats/verdict.ts';
import {
  type Command,
  type CommandContext,
  exitCode,
  exitCodeOfVerdict,
  numberOption,
  UsageError,
} from './command.ts';
import { profileInto } from './profile-command.ts';

const usage = `weir-bench compare <file> --base <build> [--head <build>] [options]

Compares two builds in pairs of fresh processes until the difference is decided.
A build is a directory, a commit (checked out into a worktree), or a command. The scenario's \`start\`
sets up and starts a directory or commit; its server must listen on the port in PORT.

  --base <build>      the build to compare with
  --head <build>      the build to judge (default: the working directory)
  --design <design>   duet (needs two CPUs) or slices (needs one); default by CPU count
  --pairs <n>         pairs before the first look (default 10, slices 15)
  --max-pairs <n>     pairs at the last look (default 16, slices 21)
  --warmup <s>        load before each measurement (default 4)
  --measure <s>       measured time of each pair (default 2)
  --connections <n>   to each build (default 8)
  --effect <percent>  "same" means within this (default 5)
  --json <file>       write the result as JSON (- for standard output)
  --report <kind>=<file>  text, html, markdown, junit, csv, json, github (repeatable)
  --profile <dir>     profile both builds when head is slower, and name the culprits
  --quiet             no progress`;

async function run(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      base: { type: 'string' },
      head: { type: 'string', default: '.' },
      design: { type: 'string' },
      pairs: { type: 'string' },
      'max-pairs': { type: 'string' },
      warmup: { type: 'string', default: '4' },
      measure: { type: 'string', default: '2' },
      connections: { type: 'string', default: '8' },
      effect: { type: 'string', default: '5' },
      json: { type: 'string' },
      report: { type: 'string', multiple: true },
      profile: { type: 'string' },
      quiet: { type: 'boolean', default: false },
    },
  });
  const [file, ...rest] = positionals;
  if (file === undefined)
    throw new UsageError('expected a scenario file: weir-bench compare <file> --base <build>');
  if (rest.length > 0) throw new UsageError(`expected one scenario file, got also \`${rest[0]}\``);
  if (values.base === undefined)
    throw new UsageError('expected --base with a directory, a commit or a command');
  const { design = chooseDesign() } = values;
  if (design !== 'duet' && design !== 'slices')
    throw new UsageError(`expected --design duet or slices, got \`${design}\``);
  const plan = readPlan(design, values.pairs, values['max-pairs']);
  const load = {
    connections: numberOption('--connections', values.connections, { min: 1, whole: true }),
    warmupMs: numberOption('--warmup', values.warmup, { min: 0 }) * 1_000,
    durationMs: numberOption('--measure', values.measure, { min: 0.05 }) * 1_000,
  };
  const reports = (values.report ?? []).map((text) => parseReport(text, 'comparison'));
  const json = values.json === '-' ? undefined : values.json;
  const effect = numberOption('--effect', values.effect, { min: 0.1 }) / 100;
  const scenario = await loadScenario(file);
  for (const out of [json, ...reports.map((report) => report.file)])
    if (out !== undefined) await assertWritable(out);
  if (values.profile !== undefined) await assertDirectory(values.profile);
  const prepared: PreparedArm[] = [];
  try {
    for (const source of [values.base, values.head]) {
      const arm = { source, directory: process.cwd(), start: scenario.start, signal: context.signal };
      prepared.push(await prepareArm(arm));
    }
    const [base, head] = prepared as [PreparedArm, PreparedArm];
    const result = await compareBuilds({
      base,
      head,
      scenario,
      load,
      design,
      plan,
      judge: { effect },
      signal: context.signal,
      onPair: ({ pairs, nextLook, metrics }) => {
        if (values.quiet) return;
        const effects = metrics.map((metric) => `${metric.name} ${signed(metric.effect)}`).join('  ');
        context.stderr.write(`pair ${pairs}/${nextLook}  ${effects}\n`);
      },
    });
    const measured = { kind: 'comparison', result } as const;
    context.stdout.write(renderReport(measured, values.json === '-' ? 'json' : 'text'));
    // With --json -, standard output holds only the result.
    const told = values.json === '-' ? { ...context, stdout: context.stderr } : context;
    const tell = (message: string): void => void context.stderr.write(`weir-bench: ${message}\n`);
    let profile: ProfileResult | undefined;
    await attemptAll(
      [
        async () => {
          if (json !== undefined) await writeOutput(json, renderReport(measured, 'json'));
        },
        async () => {
          if (result.verdict !== 'slower' || values.profile === undefined) return;
          profile = await profileSlower(values.profile, { base, head, scenario, load }, told);
        },
        async () => {
          const subject = { ...measured, ...(profile === undefined ? {} : { profile }) };
          await attemptAll(reportTasks(subject, reports, { env: process.env, stdout: told.stdout }), tell);
        },
      ],
      tell,
    );
    return context.signal.aborted ? exitCode.interrupted : exitCodeOfVerdict(result.verdict);
  } finally {
    for (const arm of prepared) await arm.dispose();
  }
}

/** Profiles a slower build. A failure or an interruption leaves the verdict as it is. */
async function profileSlower(
  directory: string,
  builds: {
    readonly base: Arm;
    readonly head: Arm;
    readonly scenario: Scenario;
    readonly load: DuetLoad;
  },
  context: CommandContext,
): Promise<ProfileResult | undefined> {
  try {
    return await profileInto(directory, builds, context);
  } catch (error) {
    if (!context.signal.aborted && !(error instanceof BenchError)) throw error;
    context.stderr.write(
      `weir-bench: no profile: ${context.signal.aborted ? 'interrupted' : (error as Error).message}\n`,
    );
    return undefined;
  }
}

/** At least nine pairs are required, since fewer cannot be significant at the first of several looks. */
function readPlan(
  design: CompareDesign,
  pairs: string | undefined,
  most: string | undefined,
): SequentialPlan {
  const defaults = design === 'slices' ? slicesPlan : sequentialDefaults;
  const count = (name: string, text: string | undefined, fallback: number): number =>
    text === undefined ? fallback : numberOption(name, text, { min: 9, whole: true });
  const minPairs = count('--pairs', pairs, defaults.minPairs);
  return { minPairs, maxPairs: Math.max(minPairs, count('--max-pairs', most, defaults.maxPairs)) };
}

/** `weir-bench compare`. Its exit code is the verdict. */
export const compareCommand: Command = { usage, run };
