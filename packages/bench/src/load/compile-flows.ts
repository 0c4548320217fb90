import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { OptionError, ScenarioError, ScenarioFileError } from '../errors.ts';
import {
  type Auth,
  compileTemplate,
  type FeedRow,
  type FlowStep,
  findMissingValues,
  type SaveSource,
  type StepCheck,
  type TemplateScope,
} from '../scenario/flow.ts';
import type { ResolvedRequest, ResolvedScenario } from '../scenario/scenario.ts';

/** Creates sessions in proportion to the weights. Each session gets the next row of each feed; a feed begins again after its last row. */
export interface FlowMix {
  begin(): Session;
}

/** A session about to begin, with values of its own. */
export interface Session {
  readonly steps: readonly CompiledStep[];
  readonly scope: Record<string, unknown>;
}

/** A step ready to be sent. */
export interface CompiledStep {
  /** `flow / step`. */
  readonly name: string;
  readonly check: StepCheck;
  readonly save: readonly (readonly [string, SaveSource])[];
  readonly thinkMs: number;
  /** A check or a saved value needs the answer's body. Other bodies are not kept. */
  readonly readsBody: boolean;
  /** @throws Error naming the value that is missing */
  render(scope: TemplateScope): ResolvedRequest;
}

/**
 * Compiles the flows and reads every feed, which takes seconds with millions of rows.
 *
 * @throws {@link ScenarioFileError} for a broken feed
 * @throws {@link ScenarioError} for a missing column or environment variable
 */
export function compileFlows(scenario: ResolvedScenario): FlowMix {
  const auth = authHeader(scenario.auth);
  const feeds = Object.entries(scenario.feeds ?? {}).map(([name, file]) => ({
    name,
    rows: readFeed(file, process.cwd()),
    next: 0,
  }));
  const rowsOf = new Map(feeds.map(({ name, rows }) => [name, rows]));
  const issues = findMissingValues(scenario.flows ?? [], rowsOf, process.env);
  if (issues.length > 0) throw new ScenarioError(issues);
  const flows = (scenario.flows ?? []).map((flow) => ({
    weight: flow.weight ?? 1,
    credit: 0,
    steps: flow.steps.map((step): CompiledStep => {
      const path = compileTemplate(step.path, encodeURIComponent);
      const headers = Object.entries(step.headers ?? {}).map(
        ([name, value]) => [name, compileTemplate(value, oneLine)] as const,
      );
      const credentials = credentialsBeside(step.headers ?? {}, auth);
      const body = step.body === undefined ? undefined : compileTemplate(step.body);
      const method = step.method ?? 'GET';
      return {
        name: `${flow.name} / ${step.name ?? `${method} ${step.path}`}`,
        check: step.check ?? {},
        save: Object.entries(step.save ?? {}),
        thinkMs: step.thinkMs ?? 0,
        readsBody: readsBody(step),
        render: (scope) => ({
          method,
          path: path.render(scope),
          headers: {
            ...credentials,
            ...Object.fromEntries(headers.map(([name, value]) => [name, value.render(scope)])),
          },
          ...(body === undefined ? {} : { body: body.render(scope) }),
        }),
      };
    }),
  }));
  const total = flows.reduce((sum, flow) => sum + flow.weight, 0);
  return {
    begin() {
      const scope: Record<string, unknown> = { env: process.env };
      for (const feed of feeds) {
        scope[feed.name] = feed.rows[feed.next] as FeedRow;
        feed.next = (feed.next + 1) % feed.rows.length;
      }
      // Smooth weighted round robin: the flow with the highest credit is next.
      for (const flow of flows) flow.credit += flow.weight;
      const chosen = flows.reduce((best, flow) => (flow.credit > best.credit ? flow : best));
      chosen.credit -= total;
      return { steps: chosen.steps, scope };
    },
  };
}

function readsBody({ check = {}, save = {} }: FlowStep): boolean {
  if (check.contains !== undefined || check.json !== undefined) return true;
  return Object.values(save).some((source) => !('header' in source));
}

function oneLine(value: string): string {
  if (/[\r\n]/.test(value)) throw new Error('a header value has a line break');
  return value;
}

/** A scenario whose requests carry its credentials. A request's own header wins. Flows get theirs when they are compiled. */
export function authorise(scenario: ResolvedScenario): ResolvedScenario {
  if (scenario.auth === undefined) return scenario;
  const credentials = authHeader(scenario.auth);
  const requests = scenario.requests.map((request) => ({
    ...request,
    headers: { ...credentialsBeside(request.headers, credentials), ...request.headers },
  }));
  return { ...scenario, requests };
}

/**
 * The header with the credentials, with its name in lower case; empty without `auth`.
 *
 * @throws {@link OptionError} when an environment variable is missing
 */
function authHeader(auth: Auth | undefined): Readonly<Record<string, string>> {
  if (auth === undefined) return {};
  const render = (text: string): string => {
    try {
      return compileTemplate(text).render({ env: process.env });
    } catch (error) {
      throw new OptionError(`auth: ${(error as Error).message}. Set the variable in the environment.`);
    }
  };
  if ('bearer' in auth) return { authorization: `Bearer ${render(auth.bearer)}` };
  const pair = `${render(auth.basic.user)}:${render(auth.basic.password)}`;
  return { authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` };
}

/**
 * The credentials to add to these headers. A request's own `Authorization` wins in any spelling, since header names are case-insensitive
 * (RFC 9110 section 5.1).
 */
function credentialsBeside(
  headers: Readonly<Record<string, string>>,
  credentials: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const own = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  return Object.fromEntries(Object.entries(credentials).filter(([name]) => !own.has(name)));
}

/**
 * Reads a feed: a `.csv` file whose first line names the columns, or a `.json` file with a list of objects.
 *
 * @throws {@link ScenarioFileError} with one line naming the file and the mistake's line
 */
export function readFeed(file: string, directory: string): readonly FeedRow[] {
  let text: string;
  try {
    text = readFileSync(resolve(directory, file), 'utf8');
  } catch (cause) {
    throw new ScenarioFileError(
      `${file}: the feed cannot be read (${(cause as NodeJS.ErrnoException).code}). Check the path.`,
      { cause },
    );
  }
  const rows = file.endsWith('.json') ? parseJsonRows(text, file) : parseCsv(text, file);
  if (rows.length === 0) throw new ScenarioFileError(`${file}: the feed has no rows. Add at least one.`);
  return rows;
}

function parseJsonRows(text: string, file: string): FeedRow[] {
  let rows: unknown;
  try {
    rows = JSON.parse(text);
  } catch (cause) {
    throw new ScenarioFileError(
      `${file}: the feed is not JSON: ${(cause as Error).message.split('\n', 1)[0]}`,
      { cause },
    );
  }
  const isRow = (row: unknown): row is FeedRow =>
    typeof row === 'object' && row !== null && !Array.isArray(row);
  if (!Array.isArray(rows) || !rows.every(isRow)) {
    throw new ScenarioFileError(`${file}: expected a list of objects, one for each row of the feed.`);
  }
  return rows;
}

/** Parses CSV (RFC 4180): commas, doubled quotes and line breaks inside quotes, CRLF or LF, an optional byte order mark. */
export function parseCsv(text: string, file: string): FeedRow[] {
  const [columns, ...lines] = splitRecords(text.replace(/^\uFEFF/, ''), file);
  if (columns === undefined) return [];
  const { fields: names } = columns;
  if (new Set(names).size !== names.length || names.some((name) => name.trim() === '')) {
    throw new ScenarioFileError(`${file}: line 1: every column needs a name of its own.`);
  }
  return lines.map(({ fields, line }) => {
    if (fields.length !== names.length) {
      throw new ScenarioFileError(
        `${file}: line ${line}: expected ${names.length} values, got ${fields.length}.`,
      );
    }
    return Object.fromEntries(names.map((name, index) => [name.trim(), fields[index]]));
  });
}

interface CsvRecord {
  readonly line: number;
  readonly fields: string[];
}

function splitRecords(text: string, file: string): CsvRecord[] {
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;
  const records: CsvRecord[] = [];
  let fields: string[] = [];
  let line = 1;
  let recordLine = 1;
  while (field.lastIndex < text.length || fields.length > 0) {
    const match = field.exec(text);
    if (match === null)
      throw new ScenarioFileError(`${file}: line ${line}: a quote is not closed, or stands inside a value.`);
    const [whole, quoted, plain = '', separator] = match;
    fields.push(quoted?.replaceAll('""', '"') ?? plain);
    line += whole.split('\n').length - 1;
    if (separator === ',') continue;
    // An empty line is not a record.
    if (fields.length > 1 || quoted !== undefined || plain !== '') records.push({ line: recordLine, fields });
    fields = [];
    recordLine = line;
    if (separator === '') break;
  }
  return records;
}
