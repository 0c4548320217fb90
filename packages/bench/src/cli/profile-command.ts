import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { DuetLoad } from '../compare/compare-builds.ts';
import type { Arm } from '../compare/measure-pair.ts';
import { type PreparedArm, prepareArm } from '../compare/prepare-arm.ts';
import { assertDirectory } from '../process/output-files.ts';
import { type ClinicTool, runClinic } from '../profile/clinic.ts';
import { renderFlameGraph, renderSpeedscope } from '../profile/flame-graph.ts';
import { type ProfileResult, profileBuilds } from '../profile/profile-builds.ts';
import { renderCulprits } from '../report/table.ts';
import { changeScenario, loadScenario, type Scenario } from '../scenario/scenario.ts';
import { type Command, type CommandContext, exitCode, numberOption, UsageError } from './command.ts';

const usage = `weir-bench profile <file> --base <build> [--head <build>] [options]
weir-bench profile <file> --tool clinic-doctor|clinic-flame|clinic-heapprofiler [--head <build>] [options]

Profiles two builds under load at the same time and names the functions and lines that take more; or runs one build
under clinic, where that is installed.

  --base <build>   a directory, a commit or a command
  --head <build>   (default: the working directory)
  --tool <tool>    v8, or a tool of clinic (default v8)
  --timeout <s>    how long clinic may take for its report (default 120)
  --kind <kind>    cpu or heap (default cpu)
  --rounds <n>     duets; a culprit must show in each; up to twice as many
                   where they give few samples (default 3)
  --warmup <s>     (default 4)
  --measure <s>    (default 2)
  --out <dir>      where flame.svg and profile.speedscope.json go or clinic's report (default .weir/profile)`;

async function run(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      base: { type: 'string' },
      head: { type: 'string', default: '.' },
      kind: { type: 'string', default: 'cpu' },
      tool: { type: 'string', default: 'v8' },
      timeout: { type: 'string', default: '120' },
      rounds: { type: 'string', default: '3' },
      warmup: { type: 'string', default: '4' },
      measure: { type: 'string', default: '2' },
      out: { type: 'string', default: '.weir/profile' },
    },
  });
  const [file, ...rest] = positionals;
  if (file === undefined || rest.length > 0)
    throw new UsageError('expected one scenario file: weir-bench profile <file> --base <build>');
  const clinic = readTool(values.tool);
  if (values.base === undefined && clinic === undefined)
    throw new UsageError('expected --base with a directory, a commit or a command');
  if (values.kind !== 'cpu' && values.kind !== 'heap')
    throw new UsageError(`expected --kind cpu or heap, got \`${values.kind}\``);
  const warmupMs = numberOption('--warmup', values.warmup, { min: 0 }) * 1_000;
  const durationMs = numberOption('--measure', values.measure, { min: 0.05 }) * 1_000;
  const timeoutMs = numberOption('--timeout', values.timeout, { min: 1 }) * 1_000;
  const rounds = numberOption('--rounds', values.rounds, { min: 1, whole: true });
  await assertDirectory(values.out);
  const scenario = await loadScenario(file);
  const prepared: PreparedArm[] = [];
  try {
    const sources = clinic === undefined ? [values.base ?? '', values.head] : [values.head];
    for (const source of sources) {
      prepared.push(
        await prepareArm({ source, directory: process.cwd(), start: scenario.start, signal: context.signal }),
      );
    }
    const [base, head] = prepared as [PreparedArm, PreparedArm];
    if (clinic !== undefined) {
      const load = changeScenario(scenario, { warmupMs: 0, durationMs: warmupMs + durationMs });
      const report = await runClinic({
        tool: clinic,
        arm: base,
        scenario: load,
        directory: values.out,
        timeoutMs,
        signal: context.signal,
      });
      context.stdout.write(`wrote ${report}\n`);
      return exitCode.pass;
    }
    await profileInto(
      values.out,
      { base, head, scenario, kind: values.kind, load: { warmupMs, durationMs }, rounds },
      context,
    );
    return context.signal.aborted ? exitCode.interrupted : exitCode.pass;
  } finally {
    for (const arm of prepared) await arm.dispose();
  }
}

/** @returns `undefined` for V8's own profiler */
function readTool(text: string): ClinicTool | undefined {
  switch (text) {
    case 'v8':
      return undefined;
    case 'clinic-doctor':
    case 'clinic-flame':
    case 'clinic-heapprofiler':
      return text.slice('clinic-'.length) as ClinicTool;
    case 'clinic-bubbleprof':
      throw new UsageError(
        'clinic-bubbleprof never ends on Node 20 and later; use clinic-doctor, clinic-flame, clinic-heapprofiler or v8',
      );
    default:
      throw new UsageError(
        `expected --tool v8, clinic-doctor, clinic-flame or clinic-heapprofiler, got \`${text}\``,
      );
  }
}

/** Profiles, writes both files, and prints the culprits. */
export async function profileInto(
  directory: string,
  options: {
    readonly base: Arm;
    readonly head: Arm;
    readonly scenario: Scenario;
    readonly kind?: 'cpu' | 'heap';
    readonly load?: DuetLoad;
    readonly rounds?: number;
  },
  context: CommandContext,
): Promise<ProfileResult> {
  const result = await profileBuilds({
    ...options,
    signal: context.signal,
    onRound: (round) => context.stderr.write(`profiled duet ${round}\n`),
  });
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'flame.svg'), renderFlameGraph(result.pairs, result.unit));
  await writeFile(
    join(directory, 'profile.speedscope.json'),
    renderSpeedscope(result.pairs, options.scenario.name, result.unit),
  );
  context.stdout.write(renderCulprits(result));
  context.stdout.write(
    `wrote ${join(directory, 'flame.svg')} and ${join(directory, 'profile.speedscope.json')}\n`,
  );
  return result;
}

/** `weir-bench profile`. */
export const profileCommand: Command = { usage, run };
