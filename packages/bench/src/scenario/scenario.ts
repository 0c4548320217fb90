import { readFile } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { ScenarioError, ScenarioFileError } from '../errors.ts';
import type { Auth, Flow } from './flow.ts';
import { importFile } from './import-file.ts';
import { checkChanges, checkScenario } from './scenario-schema.ts';

/** A load and its target. A `.json` file contains one; a `.ts` or `.js` file exports one by default. */
export interface Scenario {
  readonly name: string;
  /** Origin only, e.g. `http://127.0.0.1:4041`. */
  readonly target: string;
  /** Sent in order by each connection, then again. Either these or `flows`. */
  readonly requests?: readonly ScenarioRequest[];
  /** Sessions of several steps. */
  readonly flows?: readonly Flow[];
  /** CSV or JSON files by name. Each session gets the next row of each feed under its name. */
  readonly feeds?: Readonly<Record<string, string>>;
  /** Sent with every request. */
  readonly auth?: Auth;
  /** `ca`: a PEM file with an authority that is trusted beside Node's own; relative to the scenario's file. */
  readonly tls?: { readonly ca: string };
  /** Such as `p99 < 250ms`. A missed objective makes `weir-bench run` exit with 1. @defaultValue `[]` */
  readonly objectives?: readonly string[];
  /** Requests per second, evenly spaced, whether or not earlier ones were answered. Makes the load an open loop. */
  readonly rate?: number;
  /** An open loop whose rate changes. Their durations make up the measured time, so `durationMs` is left out. */
  readonly stages?: readonly RateStage[];
  /** Threads that share an open loop's rate. @defaultValue 1 */
  readonly workers?: number;
  /** Starts the target before a run and stops it afterwards; `PORT` is the target's. A comparison needs it. */
  readonly start?: StartOptions;
  /**
   * Keep-alive connections. Closed loop: each sends its next request when an answer arrives. Open loop: the largest number of connections.
   *
   * @defaultValue 10, in an open loop 500
   */
  readonly connections?: number;
  /** Requests in flight on each connection of a closed loop. @defaultValue 1 */
  readonly pipelining?: number;
  /** Measured time, after the warm-up. @defaultValue 10_000 */
  readonly durationMs?: number;
  /** Load before the measured time, which is not counted. @defaultValue 2_000 */
  readonly warmupMs?: number;
  /** From sending a request to the end of its answer. @defaultValue 10_000 */
  readonly timeoutMs?: number;
}

/** One request of a scenario. Each connection sends the list in order, then begins again. */
export interface ScenarioRequest {
  /** Upper case. @defaultValue `'GET'` */
  readonly method?: string;
  /** Path and query, beginning with `/`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as UTF-8 with its `Content-Length`. */
  readonly body?: string;
}

/** A part of the load with a constant rate or a linear ramp. */
export interface RateStage {
  readonly durationMs: number;
  /** Requests per second; reached at the stage's end when it ramps. */
  readonly rate: number;
  /** Ramps from this rate. Without it the stage is constant. */
  readonly from?: number;
}

/** Starts the server under test, which must listen on 127.0.0.1 at the port in `PORT`. */
export interface StartOptions {
  /** Run with `sh -c`. */
  readonly command: string;
  /** Relative to the arm's directory. @defaultValue the directory itself */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs once in a fresh checkout before the start, e.g. `npm ci && npm run build`. */
  readonly setup?: string;
  /** Path whose status is below 500 when the server is ready. @defaultValue `'/'` */
  readonly ready?: string;
  /** @defaultValue 30_000 */
  readonly readyTimeoutMs?: number;
}

/** Start options with their defaults. */
export type StartSpec = StartOptions & Required<Pick<StartOptions, 'ready' | 'readyTimeoutMs'>>;

/** A scenario with every default filled in, validated and frozen. */
export type ResolvedScenario = Required<Omit<Scenario, 'requests' | OptionalKey>> &
  Pick<Scenario, 'rate' | 'stages' | 'flows' | 'feeds' | 'auth' | 'tls'> & {
    /** Empty when there are flows. */
    readonly requests: readonly ResolvedRequest[];
    readonly start?: StartSpec;
  };

type OptionalKey = 'rate' | 'stages' | 'start' | 'flows' | 'feeds' | 'auth' | 'tls';

/** A request with its defaults filled in. */
export interface ResolvedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

const modules = new Set(['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts']);

/**
 * Reads a scenario from a `.json` file, or imports the default export of a `.ts` or `.js` file. Importing runs the file, so load only
 * scenarios of authors that you trust. TypeScript needs Node 22.18 or later, which strips types.
 *
 * @throws {@link ScenarioFileError} when the file is missing, unparsable or of another kind
 * @throws `ScenarioError` when its content has mistakes
 */
export async function loadScenario(file: string): Promise<ResolvedScenario> {
  const extension = extname(file);
  if (extension === '.json') return resolvePaths(file, parseScenario(await readJson(file), file));
  if (modules.has(extension)) return resolvePaths(file, parseScenario(await importDefault(file), file));
  throw new ScenarioFileError(
    `${file}: expected a .json, .ts or .js file, got \`${extension || 'no extension'}\`.`,
  );
}

/**
 * Types and checks a scenario in a `.ts` or `.js` file.
 *
 * @throws {@link ScenarioError}
 */
export function defineBench(scenario: Scenario): ResolvedScenario {
  return parseScenario(scenario);
}

/** Scenarios that passed the check. They are frozen to their depth, so they stay valid. */
const parsed = new WeakSet<object>();

/**
 * Checks a value of unknown origin (a parsed JSON file, a request body) and fills in the defaults.
 * Every mistake is reported at once, unknown keys among them. A scenario that was parsed before is returned as it is.
 *
 * @param source names the file in the error's message
 * @throws {@link ScenarioError}
 */
export function parseScenario(value: unknown, source?: string): ResolvedScenario {
  if (isParsed(value)) return value;
  const checked = checkScenario(value);
  if ('issues' in checked) throw new ScenarioError(checked.issues, source);
  return accept(checked.scenario as ResolvedScenario);
}

/** What {@link changeScenario} can replace. `start: undefined` removes it. */
export type ScenarioChanges = Partial<
  Pick<ResolvedScenario, 'target' | 'objectives' | 'connections' | 'warmupMs' | 'durationMs'>
> & { readonly start?: undefined };

/**
 * Replaces values of a parsed scenario. Only they are checked.
 *
 * @throws {@link ScenarioError}
 */
export function changeScenario(scenario: ResolvedScenario, changes: ScenarioChanges): ResolvedScenario {
  const { start, ...others } = { ...scenario, ...changes };
  const changed = { ...others, ...(start === undefined ? {} : { start }) };
  const issues = checkChanges(changes, changed);
  if (issues.length > 0) throw new ScenarioError(issues);
  return accept(changed);
}

function isParsed(value: unknown): value is ResolvedScenario {
  return typeof value === 'object' && value !== null && parsed.has(value);
}

function accept(scenario: ResolvedScenario): ResolvedScenario {
  freezeDeep(scenario);
  parsed.add(scenario);
  return scenario;
}

function freezeDeep(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  for (const entry of Object.values(value)) freezeDeep(entry);
  Object.freeze(value);
}

/** Resolves the paths of feeds and of the authority, which are relative to the scenario's file. */
function resolvePaths(file: string, scenario: ResolvedScenario): ResolvedScenario {
  const { feeds, tls } = scenario;
  if (feeds === undefined && tls === undefined) return scenario;
  const place = (path: string): string => resolve(dirname(file), path);
  const entries = Object.entries(feeds ?? {}).map(([name, feed]) => [name, place(feed)] as const);
  return accept({
    ...scenario,
    ...(tls === undefined ? {} : { tls: { ca: place(tls.ca) } }),
    ...(feeds === undefined ? {} : { feeds: Object.fromEntries(entries) }),
  });
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new ScenarioFileError(`${file}: cannot be read (${reason(cause)}). Check the path.`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ScenarioFileError(`${file}: is not JSON: ${firstLine((cause as Error).message)}`, { cause });
  }
}

async function importDefault(file: string): Promise<unknown> {
  const module = await importFile(file);
  if (module.default === undefined) {
    throw new ScenarioFileError(
      `${file}: has no default export. Write \`export default defineBench({ … })\`.`,
    );
  }
  return module.default;
}

const reason = (error: Error & { code?: string }): string => error.code ?? firstLine(error.message);
const firstLine = (text: string): string => text.split('\n', 1)[0] ?? text;
