import * as z from 'zod';
import type { ScenarioIssue } from '../errors.ts';
import { explainTemplate, findUnknownNames, type NamedSources } from './flow.ts';
import { explainObjective } from './objective.ts';

/** The start of a path, without characters that would end the request line. */
const pathStart = /^\/[\x21-\x7e]*$/;

/** Whole milliseconds within bounds. */
const wholeMs = (minimum: number, maximum: number): z.ZodNumber =>
  z.number().int('expected whole milliseconds').min(minimum).max(maximum);

const methodSchema = z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** A path without placeholders. */
const pathSchema = z
  .string()
  .regex(pathStart, 'expected a path that begins with `/` and has every other character percent-encoded');

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const printable = /^[\t\x20-\x7e\x80-\xff]*$/;

const hopHeaders = new Set([
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'upgrade',
  'expect',
]);

/** Header names and values. The generator sets the headers that frame a message. */
function headersSchema(value: z.ZodType<string> = z.string()): z.ZodType<Record<string, string>> {
  const names = z
    .string()
    .regex(token, 'expected a header name')
    .refine((name) => !hopHeaders.has(name.toLowerCase()), 'is set by the generator; remove it');
  const values = value.refine((text) => printable.test(text), 'expected a header value without line breaks');
  return z.record(names, values).superRefine((headers, context) => {
    const seen = new Set<string>();
    for (const name of Object.keys(headers)) {
      const lower = name.toLowerCase();
      if (seen.has(lower))
        context.addIssue({
          code: 'custom',
          path: [name],
          message: 'is given twice; names differ by case only',
        });
      seen.add(lower);
    }
  });
}

const templateSchema = z.string().superRefine((text, context) => {
  const message = explainTemplate(text);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

const regexSource = z.string().refine((source) => {
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
}, 'expected a regular expression');

const checkSchema = z.strictObject({
  status: z.union([z.int().min(100).max(599), z.array(z.int().min(100).max(599)).min(1)]).optional(),
  contains: z.string().min(1).optional(),
  json: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
  maxMs: z.number().positive().optional(),
});

const saveSchema = z.union([
  z.strictObject({ json: z.string().min(1) }),
  z.strictObject({ header: z.string().min(1) }),
  z.strictObject({ regex: regexSource }),
]);

const variableSchema = z
  .string()
  .regex(/^[A-Za-z_$][\w$-]*$/, 'expected a name of letters, digits, `_` or `-`');

const stepSchema = z.strictObject({
  name: z.string().min(1).max(100).optional(),
  method: methodSchema.default('GET'),
  path: templateSchema.refine(
    (path) => pathStart.test(path.replace(/\{\{[^{}]*\}\}/g, 'x')),
    'expected a path that begins with `/`, without spaces',
  ),
  headers: headersSchema(templateSchema).default({}),
  body: templateSchema.optional(),
  check: checkSchema.optional(),
  save: z.record(variableSchema, saveSchema).optional(),
  thinkMs: wholeMs(0, 3_600_000).default(0),
});

const flowsSchema = z
  .array(
    z.strictObject({
      name: z.string().min(1).max(100),
      weight: z.number().positive().max(1_000).default(1),
      steps: z.array(stepSchema).min(1).max(1_000),
    }),
  )
  .min(1)
  .max(100);

const feedsSchema = z.record(
  variableSchema,
  z.string().regex(/\.(?:csv|json)$/, 'expected a .csv or .json file'),
);

const authSchema = z.union([
  z.strictObject({ bearer: templateSchema }),
  z.strictObject({ basic: z.strictObject({ user: templateSchema, password: templateSchema }) }),
]);

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
  tls: z.strictObject({ ca: z.string().min(1) }).optional(),
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

/** The scenario file's JSON Schema, for editors. Rules between keys are not part of it. */
export function scenarioJsonSchema(): object {
  return z.toJSONSchema(scenarioSchema, { io: 'input', unrepresentable: 'any' });
}

/** Checks a value, and fills in every default. */
export function checkScenario(
  value: unknown,
): { readonly scenario: unknown } | { readonly issues: ScenarioIssue[] } {
  const parsed = scenarioSchema.safeParse(value);
  if (!parsed.success) return { issues: parsed.error.issues.flatMap(describeIssue) };
  const issues = findContradictions(parsed.data);
  return issues.length > 0 ? { issues } : { scenario: withDefaults(parsed.data) };
}

/**
 * Checks values that replace those of a checked scenario.
 *
 * @param changed the whole, for the rules between keys
 */
export function checkChanges(
  changes: Readonly<Record<string, unknown>>,
  changed: ScenarioToCheck,
): ScenarioIssue[] {
  const checked = scenarioSchema.partial().safeParse(changes);
  return checked.success ? findContradictions(changed) : checked.error.issues.flatMap(describeIssue);
}

type ParsedScenario = z.output<typeof scenarioSchema>;

/** What the rules between keys read. */
interface ScenarioToCheck {
  readonly requests: readonly {
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string | undefined;
  }[];
  readonly flows?: unknown;
  readonly feeds?: unknown;
  readonly auth?: unknown;
  readonly rate?: number | undefined;
  readonly stages?: readonly { readonly durationMs: number }[] | undefined;
  readonly workers: number;
  readonly pipelining: number;
  readonly durationMs?: number | undefined;
}

function findContradictions(scenario: ScenarioToCheck): ScenarioIssue[] {
  const { rate, stages, workers, pipelining, durationMs, requests, flows, feeds, auth } = scenario;
  // Each value passed its schema, so it has its declared type.
  const issues: ScenarioIssue[] = findUnknownNames({ flows, feeds, auth } as NamedSources);
  const open = rate !== undefined || stages !== undefined;
  const refuse = (path: string, message: string): number => issues.push({ path, message });
  if (requests.length === 0 && flows === undefined) {
    refuse('requests', 'expected at least one request, unless there are `flows`');
  }
  if (requests.length > 0 && flows !== undefined)
    refuse('flows', 'stand instead of `requests`; remove one of them');
  for (const [index, { path, headers, body }] of requests.entries()) {
    // Sent as it is, a placeholder would reach the server, which may well answer 200.
    for (const text of [path, ...Object.values(headers), body])
      if (text !== undefined && /\{\{\s*[\w.-]+\s*\}\}/.test(text))
        refuse(
          `requests[${index}]`,
          'has a `{{…}}` placeholder, which only `flows` fill in; make it a flow of one step',
        );
  }
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

function withDefaults(scenario: ParsedScenario): unknown {
  const { stages } = scenario;
  const stagesMs = stages?.reduce((sum, stage) => sum + stage.durationMs, 0);
  const open = scenario.rate !== undefined || stages !== undefined;
  return withoutUndefined({
    ...scenario,
    target: new URL(scenario.target).origin,
    connections: scenario.connections ?? (open ? 500 : 10),
    durationMs: stagesMs ?? scenario.durationMs ?? 10_000,
  });
}

/** Optional keys that a schema left undefined become absent, at every depth. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(entries.map(([key, entry]) => [key, withoutUndefined(entry)]));
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
