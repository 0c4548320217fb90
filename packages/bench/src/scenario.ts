import * as z from 'zod';
import type { RateStage } from './arrival-schedule.ts';
import { ScenarioError, type ScenarioIssue } from './errors.ts';
import type { Auth, Flow } from './flow/flow.ts';
import { authSchema, feedsSchema, flowsSchema } from './flow/flow-schema.ts';
import { explainObjective } from './objective.ts';
import { headersSchema, methodSchema, pathSchema, wholeMs } from './request-schema.ts';

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

/** How to start the server under test. It must listen on 127.0.0.1 at the port in `PORT`. */
export interface StartOptions {
  /** Run by `sh`. */
  readonly command: string;
  /** Relative to the arm's directory. @defaultValue the directory itself */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Run once in a fresh checkout before it is started, e.g. `npm ci && npm run build`. */
  readonly setup?: string;
  /** Path that answers below 500 when the server is ready. @defaultValue `'/'` */
  readonly ready?: string;
  /** @defaultValue 30_000 */
  readonly readyTimeoutMs?: number;
}

/** Start options with their defaults. */
export type StartSpec = StartOptions & Required<Pick<StartOptions, 'ready' | 'readyTimeoutMs'>>;

/** What to load and how hard. A `.json` file holds one; a `.ts` or `.js` file exports one by default. */
export interface Scenario {
  readonly name: string;
  /** Origin only, e.g. `http://127.0.0.1:4041`. */
  readonly target: string;
  /** Sent in order by each connection, then again. Either these or `flows`. */
  readonly requests?: readonly ScenarioRequest[];
  /** Sessions of several steps with values of their own. */
  readonly flows?: readonly Flow[];
  /** CSV or JSON files; each session gets the next row of each, under the feed's name. */
  readonly feeds?: Readonly<Record<string, string>>;
  /** Sent with every request. */
  readonly auth?: Auth;
  /** What must hold, e.g. `p99 < 250ms`; a missed one makes `weir-bench run` exit with 1. @defaultValue `[]` */
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
   * Keep-alive connections. Closed loop: each sends its next request when an answer arrives. Open loop: at most so many at once.
   *
   * @defaultValue 10, in an open loop 500
   */
  readonly connections?: number;
  /** Requests in flight on each connection of a closed loop. @defaultValue 1 */
  readonly pipelining?: number;
  /** Measured time, after the warm-up. @defaultValue 10_000 */
  readonly durationMs?: number;
  /** Load before measuring; nothing of it is counted. @defaultValue 2_000 */
  readonly warmupMs?: number;
  /** From sending a request to the end of its answer. @defaultValue 10_000 */
  readonly timeoutMs?: number;
}

/** A scenario with every default filled in, validated and frozen. */
export type ResolvedScenario = Required<Omit<Scenario, 'requests' | OptionalKey>> &
  Pick<Scenario, 'rate' | 'stages' | 'flows' | 'feeds' | 'auth'> & {
    /** Empty when there are flows. */
    readonly requests: readonly ResolvedRequest[];
    readonly start?: StartSpec;
  };

type OptionalKey = 'rate' | 'stages' | 'start' | 'flows' | 'feeds' | 'auth';

/** A request with its defaults filled in. */
export interface ResolvedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

const requestSchema = z.strictObject({
  method: methodSchema.default('GET'),
  path: pathSchema,
  headers: headersSchema().default({}),
  body: z.string().optional(),
});

const ratePerSecond = z.number().positive().max(1_000_000);

const stageSchema = z.strictObject({
  durationMs: wholeMs(1, 86_400_000),
  rate: ratePerSecond,
  from: ratePerSecond.optional(),
});

const objectiveSchema = z.string().superRefine((text, context) => {
  const message = explainObjective(text);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

const startSchema = z.strictObject({
  command: z.string().min(1),
  cwd: z.string().min(1).optional(),
  env: z.record(z.string(), z.string()).optional(),
  setup: z.string().min(1).optional(),
  ready: pathSchema.default('/'),
  readyTimeoutMs: wholeMs(1, 600_000).default(30_000),
});

const scenarioSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$/, 'expected 1–100 letters, digits, spaces, `.`, `_` or `-`'),
  target: z
    .string()
    .refine(isOrigin, 'expected an origin such as `http://127.0.0.1:4041`, without path or credentials'),
  requests: z.array(requestSchema).max(1_000).default([]),
  flows: flowsSchema.optional(),
  feeds: feedsSchema.optional(),
  auth: authSchema.optional(),
  objectives: z.array(objectiveSchema).max(100).default([]),
  start: startSchema.optional(),
  rate: ratePerSecond.optional(),
  stages: z.array(stageSchema).min(1).max(1_000).optional(),
  workers: z.int().min(1).max(64).default(1),
  connections: z.int().min(1).max(10_000).optional(),
  pipelining: z.int().min(1).max(1_000).default(1),
  durationMs: wholeMs(1, 86_400_000).optional(),
  warmupMs: wholeMs(0, 3_600_000).default(2_000),
  timeoutMs: wholeMs(1, 600_000).default(10_000),
});

function isOrigin(value: string): boolean {
  const url = URL.parse(value);
  return (
    url !== null &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.username === '' &&
    url.password === '' &&
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === ''
  );
}

/**
 * Checks a value of unknown origin (a parsed JSON file, a request body) and fills in the defaults.
 * Every mistake is reported at once, unknown keys among them.
 *
 * @param source names the file in the error's message
 * @throws {@link ScenarioError}
 */
export function parseScenario(value: unknown, source?: string): ResolvedScenario {
  const parsed = scenarioSchema.safeParse(value);
  if (!parsed.success) throw new ScenarioError(parsed.error.issues.flatMap(describeIssue), source);
  const contradictions = findContradictions(parsed.data);
  if (contradictions.length > 0) throw new ScenarioError(contradictions, source);
  return resolve(parsed.data);
}

type ParsedScenario = z.output<typeof scenarioSchema>;

function findContradictions(scenario: ParsedScenario): ScenarioIssue[] {
  const { rate, stages, workers, pipelining, durationMs, requests, flows, feeds } = scenario;
  const issues: ScenarioIssue[] = [];
  const open = rate !== undefined || stages !== undefined;
  const refuse = (path: string, message: string): number => issues.push({ path, message });
  if (requests.length === 0 && flows === undefined) {
    refuse('requests', 'expected at least one request, unless there are `flows`');
  }
  if (requests.length > 0 && flows !== undefined)
    refuse('flows', 'stand instead of `requests`; remove one of them');
  if (feeds !== undefined && flows === undefined) refuse('feeds', 'feed `flows`; add them or remove it');
  if (flows !== undefined && pipelining !== 1) refuse('pipelining', 'flows do not pipeline; remove it');
  if (flows !== undefined && workers !== 1) refuse('workers', 'flows run on one thread; remove it');
  if (rate !== undefined && stages !== undefined) refuse('rate', 'is set by `stages`; remove one of them');
  if (open && pipelining !== 1) refuse('pipelining', 'an open loop does not pipeline; remove it');
  if (!open && workers !== 1) refuse('workers', 'share an open loop only; add `rate` or remove it');
  const stagesMs = stages?.reduce((sum, stage) => sum + stage.durationMs, 0);
  if (stagesMs !== undefined && durationMs !== undefined && durationMs !== stagesMs) {
    refuse('durationMs', `the stages last ${stagesMs} ms; remove it`);
  }
  return issues;
}

function resolve(scenario: ParsedScenario): ResolvedScenario {
  const { stages } = scenario;
  const stagesMs = stages?.reduce((sum, stage) => sum + stage.durationMs, 0);
  const open = scenario.rate !== undefined || stages !== undefined;
  return freezeDeep(
    withoutUndefined({
      ...scenario,
      target: new URL(scenario.target).origin,
      connections: scenario.connections ?? (open ? 500 : 10),
      durationMs: stagesMs ?? scenario.durationMs ?? 10_000,
    }),
  ) as ResolvedScenario;
}

/** Optional keys that a schema left undefined become absent, at every depth. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(entries.map(([key, entry]) => [key, withoutUndefined(entry)]));
}

function freezeDeep(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const entry of Object.values(value)) freezeDeep(entry);
  return Object.freeze(value);
}

/**
 * Types a scenario in a `.ts` or `.js` file and checks it where it is written.
 *
 * @throws {@link ScenarioError}
 */
export function defineBench(scenario: Scenario): ResolvedScenario {
  return parseScenario(scenario);
}

/** The stages of an open loop, a constant rate among them; `undefined` for a closed loop. */
export function stagesOf(scenario: ResolvedScenario): readonly RateStage[] | undefined {
  if (scenario.stages !== undefined) return scenario.stages;
  return scenario.rate === undefined ? undefined : [{ durationMs: scenario.durationMs, rate: scenario.rate }];
}

/** What arrives when, the warm-up at the first stage's rate before it; `undefined` for a closed loop. */
export function arrivalStages(scenario: ResolvedScenario): readonly RateStage[] | undefined {
  const stages = stagesOf(scenario);
  const first = stages?.[0];
  if (stages === undefined || first === undefined || scenario.warmupMs === 0) return stages;
  return [{ durationMs: scenario.warmupMs, rate: first.from ?? first.rate }, ...stages];
}

function describeIssue(issue: z.core.$ZodIssue): ScenarioIssue[] {
  const path = formatPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: formatPath([...issue.path, key]),
      message: 'unknown key; remove it',
    }));
  }
  if (issue.code === 'invalid_key') return [{ path, message: issue.issues[0]?.message ?? issue.message }];
  const message = issue.message.replace(/^Invalid (input|option): /, '').replace(/^Too (small|big): /, '');
  return [{ path, message: message === 'expected string, received undefined' ? 'is required' : message }];
}

function formatPath(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'scenario';
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`,
    )
    .join('');
}
