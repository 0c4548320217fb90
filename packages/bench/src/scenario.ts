import * as z from 'zod';
import { ScenarioError, type ScenarioIssue } from './errors.ts';

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

/** What to load and how hard. A `.json` file holds one; a `.ts` or `.js` file exports one by default. */
export interface Scenario {
  readonly name: string;
  /** Origin only, e.g. `http://127.0.0.1:4041`. */
  readonly target: string;
  readonly requests: readonly ScenarioRequest[];
  /** Keep-alive connections, each a closed loop. @defaultValue 10 */
  readonly connections?: number;
  /** Requests in flight on each connection. @defaultValue 1 */
  readonly pipelining?: number;
  /** Measured time, after the warm-up. @defaultValue 10_000 */
  readonly durationMs?: number;
  /** Load before measuring; nothing of it is counted. @defaultValue 2_000 */
  readonly warmupMs?: number;
  /** From sending a request to the end of its answer. @defaultValue 10_000 */
  readonly timeoutMs?: number;
}

/** A scenario with every default filled in, validated and frozen. */
export type ResolvedScenario = Required<Omit<Scenario, 'requests'>> & {
  readonly requests: readonly ResolvedRequest[];
};

/** A request with its defaults filled in. */
export interface ResolvedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
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

const wholeMs = (minimum: number, maximum: number): z.ZodNumber =>
  z.number().int('expected whole milliseconds').min(minimum).max(maximum);

const requestSchema = z.strictObject({
  method: z.enum(methods).default('GET'),
  path: z
    .string()
    .regex(
      /^\/[\x21-\x7e]*$/,
      'expected a path that begins with `/` and has every other character percent-encoded',
    ),
  headers: z
    .record(
      z
        .string()
        .regex(token, 'expected a header name')
        .refine((name) => !hopHeaders.has(name.toLowerCase()), 'is set by the generator; remove it'),
      z.string().regex(printable, 'expected a header value without line breaks'),
    )
    .default({}),
  body: z.string().optional(),
});

const scenarioSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$/, 'expected 1–100 letters, digits, spaces, `.`, `_` or `-`'),
  target: z
    .string()
    .refine(isOrigin, 'expected an origin such as `http://127.0.0.1:4041`, without path or credentials'),
  requests: z.array(requestSchema).min(1, 'expected at least one request').max(1_000),
  connections: z.int().min(1).max(10_000).default(10),
  pipelining: z.int().min(1).max(1_000).default(1),
  durationMs: wholeMs(1, 86_400_000).default(10_000),
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
  const { data } = parsed;
  return Object.freeze({
    ...data,
    target: new URL(data.target).origin,
    requests: Object.freeze(data.requests.map(freezeRequest)),
  });
}

function freezeRequest({ body, ...request }: z.output<typeof requestSchema>): ResolvedRequest {
  return Object.freeze({
    ...request,
    headers: Object.freeze(request.headers),
    ...(body === undefined ? {} : { body }),
  });
}

/**
 * Types a scenario in a `.ts` or `.js` file and checks it where it is written.
 *
 * @throws {@link ScenarioError}
 */
export function defineBench(scenario: Scenario): ResolvedScenario {
  return parseScenario(scenario);
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
