import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Arm, originOf } from '../compare/measure-pair.ts';
import { ProfileError } from '../errors.ts';
import { runBenchmark } from '../load/run-benchmark.ts';
import { reservePort, startTarget } from '../process/start-target.ts';
import { changeScenario, parseScenario, type Scenario } from '../scenario/scenario.ts';
import { readTrust } from '../scenario/target.ts';

/** The supported tools of clinic. Its bubbleprof does not end on Node 20 and later. */
export type ClinicTool = 'doctor' | 'flame' | 'heapprofiler';

/** Options of {@link runClinic}. */
export interface ClinicOptions {
  readonly tool: ClinicTool;
  readonly arm: Arm;
  readonly scenario: Scenario;
  /** Directory of the report. */
  readonly directory: string;
  /** Time that clinic has for its report after the load; it is ended then. @defaultValue 120_000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Runs a build under clinic (an optional tool, found beside the build or on the path), loads it, and waits for the report.
 *
 * @returns the path of the report, an HTML file
 * @throws {@link ProfileError} when clinic is not installed, cannot run the start command, or writes no report in time; no
 * process is left running
 */
export async function runClinic(options: ClinicOptions): Promise<string> {
  const { tool, arm, timeoutMs = 120_000, signal } = options;
  const scenario = parseScenario(options.scenario);
  const clinic = findClinic(arm.directory);
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true });
  const before = await reports(directory);
  const command = clinicCommand(clinic, tool, directory, arm.start.command);
  const port = await reservePort();
  const started = await startTarget({
    start: { ...arm.start, command },
    directory: arm.directory,
    port,
    origin: originOf(scenario.target, port),
    trust: await readTrust(scenario.tls?.ca),
    // Clinic asks for permission to report its usage otherwise.
    env: { NO_INSIGHT: '1' },
    signal,
  });
  try {
    const load = changeScenario(scenario, { target: started.origin, start: undefined });
    await runBenchmark(load, signal === undefined ? {} : { signal });
    // As Ctrl-C in a terminal: the server ends, and clinic begins its analysis.
    started.signal('SIGINT');
    const timer = new AbortController();
    const late = delay(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
    const aborted = new Promise<undefined>((done) =>
      signal?.addEventListener('abort', () => done(undefined), { once: true }),
    );
    const ended = await Promise.race([started.ended, late, aborted]);
    timer.abort();
    signal?.throwIfAborted();
    const report = (await reports(directory)).find((file) => !before.includes(file));
    if (report !== undefined && ended !== undefined) return join(directory, report);
    throw new ProfileError(
      ended === undefined
        ? `clinic ${tool} did not end within ${timeoutMs} ms and was ended`
        : `clinic ${tool} ${ended} without a report`,
    );
  } finally {
    await started.stop();
  }
}

/** Beside the build, then on the path. */
function findClinic(directory: string): string {
  const path = (process.env.PATH ?? '').split(delimiter);
  const found = [join(directory, 'node_modules/.bin'), ...path]
    .map((place) => join(place, 'clinic'))
    .find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new ProfileError('clinic is not installed; run `npm install --global clinic`, or use --tool v8');
}

/** Clinic starts Node itself, so the command must be that of one Node process. */
function clinicCommand(clinic: string, tool: ClinicTool, directory: string, command: string): string {
  const parts = /^((?:[A-Za-z_]\w*=[^\s;&|]+\s+)*)(?:exec\s+)?("[^"]*node"|\S*\bnode)\s+([^;&|<>`]+)$/.exec(
    command.trim(),
  );
  if (parts === null)
    throw new ProfileError(
      `clinic needs a start command of the form \`node <file>\`, got \`${command}\`; use --tool v8, which takes any`,
    );
  const [, variables = '', node = 'node', rest = ''] = parts;
  return `${variables}exec ${quote(clinic)} ${tool} --open=false --dest ${quote(directory)} -- ${node} ${rest}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function reports(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((file) => file.endsWith('.html'));
}
