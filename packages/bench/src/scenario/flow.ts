import type { ScenarioIssue } from '../errors.ts';

/** A kind of session: steps in order. Each session has its own values. */
export interface Flow {
  readonly name: string;
  /** Share of this flow's sessions, relative to the weights of the other flows. @defaultValue 1 */
  readonly weight?: number;
  readonly steps: readonly FlowStep[];
}

/** One request of a session. Path, header values and body may hold `{{name}}`. */
export interface FlowStep {
  /** Name in reports. @defaultValue method and path as written */
  readonly name?: string;
  /** @defaultValue `'GET'` */
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly check?: StepCheck;
  /** Values for later steps of the session, by name. A missing value fails the step. */
  readonly save?: Readonly<Record<string, SaveSource>>;
  /** Pause before the next step. @defaultValue 0 */
  readonly thinkMs?: number;
}

/** Conditions on an answer. A failed check ends the session. */
export interface StepCheck {
  /** Allowed status codes. @defaultValue 200–399 */
  readonly status?: number | readonly number[];
  /** Text that the body must contain. */
  readonly contains?: string;
  /** Expected values by their path in a JSON body: `{ "items[0].id": 7 }`. */
  readonly json?: Readonly<Record<string, string | number | boolean | null>>;
  /** Longest allowed latency. */
  readonly maxMs?: number;
}

/** Source of a saved value. */
export type SaveSource =
  | { /** Path in a JSON body. */ readonly json: string }
  | { /** Name of a header. */ readonly header: string }
  | { /** Regular expression on the body: its first group, or the whole match. */ readonly regex: string };

/** Credentials of every request. `{{env.NAME}}` reads an environment variable, so that secrets stay out of files. */
export type Auth =
  | { readonly bearer: string }
  | { readonly basic: { readonly user: string; readonly password: string } };

/** A compiled template. */
interface Template {
  /** @throws Error naming the value that is missing */
  render(scope: TemplateScope): string;
}

/** The values that `{{…}}` in a step can name: saved values and feed rows by name, and `env` for environment variables. */
export type TemplateScope = Readonly<Record<string, unknown>>;

const placeholder = /\{\{\s*([^{}]*?)\s*\}\}/g;
const name = /^[A-Za-z_$][\w$-]*(?:\.[\w$-]+|\[\d+\])*$/;

/**
 * Compiles a text with `{{name}}` or `{{name.path[0]}}`. Values are inserted as text, objects as JSON.
 *
 * @param encode applied to each value, such as percent-encoding in a path
 */
export function compileTemplate(
  text: string,
  encode: (value: string) => string = (value) => value,
): Template {
  const parts: { readonly text: string; readonly path?: string }[] = [];
  let from = 0;
  for (const match of text.matchAll(placeholder)) {
    parts.push({ text: text.slice(from, match.index) }, { text: match[0], path: match[1] ?? '' });
    from = match.index + match[0].length;
  }
  parts.push({ text: text.slice(from) });
  if (parts.length === 1) return { render: () => text };
  return {
    render: (scope) =>
      parts
        .map((part) => {
          if (part.path === undefined) return part.text;
          const value = readPath(scope, part.path);
          if (value === undefined || value === null) throw new Error(`\`${part.text}\` has no value`);
          return encode(typeof value === 'object' ? JSON.stringify(value) : String(value));
        })
        .join(''),
  };
}

/** Why a text is not a valid template, or `undefined`. */
export function explainTemplate(text: string): string | undefined {
  for (const [whole, inner = ''] of text.matchAll(placeholder)) {
    if (!name.test(inner)) return `\`${whole}\` must name a value, such as \`{{user.id}}\``;
  }
  if (text.replace(placeholder, '').includes('{{')) return '`{{` is not closed; write it as `{{user.id}}`';
  return undefined;
}

/** The names in a template, in order: `user.id` of `{{ user.id }}`. */
export function namesOf(text: string): string[] {
  return [...text.matchAll(placeholder)].map(([, inner = '']) => inner);
}

/** Reads `items[0].id` from a value; own properties only. */
export function readPath(value: unknown, path: string): unknown {
  let current: unknown = value;
  for (const [, key, index] of path.matchAll(/([\w$-]+)|\[(\d+)\]/g)) {
    if (typeof current !== 'object' || current === null) return undefined;
    const property = key ?? index ?? '';
    current = Object.hasOwn(current, property) ? (current as Record<string, unknown>)[property] : undefined;
  }
  return current;
}

/** The parts of a scenario with names and templates. */
export interface NamedSources {
  readonly flows: readonly Flow[] | undefined;
  readonly feeds: Readonly<Record<string, unknown>> | undefined;
  readonly auth: Auth | undefined;
}

/** Mistakes of the scenario: names without a feed, an earlier step or an environment variable. */
export function findUnknownNames({ flows = [], feeds = {}, auth }: NamedSources): ScenarioIssue[] {
  const issues: ScenarioIssue[] = [];
  const known = ['env.NAME', ...Object.keys(feeds)].map((name) => `\`${name}\``).join(', ');
  for (const { place, path, root, isSaved } of namedValues(flows)) {
    if (isSaved || Object.hasOwn(feeds, root) || (root === 'env' && path !== 'env')) continue;
    const message = `\`{{${path}}}\` names no feed, and no earlier step of the flow saves \`${root}\`; there is ${known}`;
    issues.push({ path: place, message });
  }
  for (const [place, text] of credentials(auth)) {
    const other = namesOf(text).find((path) => !path.startsWith('env.'));
    if (other !== undefined)
      issues.push({ path: place, message: `\`{{${other}}}\` must name a variable: \`{{env.NAME}}\`` });
  }
  return issues;
}

/** A row of a feed: named values. */
export type FeedRow = Readonly<Record<string, unknown>>;

/** Columns that no row of their feed has, and missing environment variables. Known after the feeds are read. */
export function findMissingValues(
  flows: readonly Flow[],
  feeds: ReadonlyMap<string, readonly FeedRow[]>,
  env: NodeJS.ProcessEnv,
): ScenarioIssue[] {
  const issues = new Map<string, ScenarioIssue>();
  const seen = new Map<string, boolean>();
  for (const { place, path, root, isSaved } of namedValues(flows)) {
    const rows = feeds.get(root);
    if (isSaved || (rows === undefined && root !== 'env')) continue;
    const rest = path.slice(root.length);
    const has = (value: unknown): boolean => (readPath(value, rest) ?? undefined) !== undefined;
    const isThere = seen.get(path) ?? (rows === undefined ? has(env) : rows.some(has));
    seen.set(path, isThere);
    if (isThere) continue;
    const message =
      rows === undefined
        ? `\`{{${path}}}\` is not in the environment; set the variable`
        : `\`{{${path}}}\`: no row of the feed \`${root}\` has it; its columns are ${columnsOf(rows)}`;
    issues.set(`${place} ${path}`, { path: place, message });
  }
  return [...issues.values()];
}

/** A `{{…}}` in a flow and its place. */
interface NamedValue {
  /** `flows[0].steps[1].path`. */
  readonly place: string;
  /** `user.id`. */
  readonly path: string;
  /** `user`. */
  readonly root: string;
  /** An earlier step of the session saves it. */
  readonly isSaved: boolean;
}

function* namedValues(flows: readonly Flow[]): Generator<NamedValue> {
  for (const [flowIndex, { steps }] of flows.entries()) {
    const saved = new Set<string>();
    for (const [stepIndex, { path, headers = {}, body = '', save = {} }] of steps.entries()) {
      const place = `flows[${flowIndex}].steps[${stepIndex}]`;
      const texts = [
        [`${place}.path`, path],
        ...Object.entries(headers).map(([name, value]) => [`${place}.headers.${name}`, value] as const),
        [`${place}.body`, body],
      ] as const;
      for (const [at, text] of texts) {
        for (const name of namesOf(text)) {
          const root = /^[\w$-]+/.exec(name)?.[0] ?? name;
          yield { place: at, path: name, root, isSaved: saved.has(root) };
        }
      }
      for (const name of Object.keys(save)) saved.add(name);
    }
  }
}

function credentials(auth: Auth | undefined): (readonly [place: string, text: string])[] {
  if (auth === undefined) return [];
  if ('bearer' in auth) return [['auth.bearer', auth.bearer]];
  const { user, password } = auth.basic;
  return [
    ['auth.basic.user', user],
    ['auth.basic.password', password],
  ];
}

function columnsOf(rows: readonly FeedRow[]): string {
  const columns = Object.keys(rows[0] ?? {});
  return (
    columns
      .slice(0, 20)
      .map((name) => `\`${name}\``)
      .join(', ') || 'none'
  );
}
