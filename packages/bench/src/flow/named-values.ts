import type { ScenarioIssue } from '../errors.ts';
import type { FeedRow } from './feed.ts';
import type { Auth, Flow } from './flow.ts';
import { namesOf, readPath } from './template.ts';

/** A `{{…}}` in a flow, and where it stands. */
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

/** What the templates of a scenario may name. */
export interface NamedSources {
  readonly flows: readonly Flow[] | undefined;
  readonly feeds: Readonly<Record<string, unknown>> | undefined;
  readonly auth: Auth | undefined;
}

/** Names that no feed, earlier step or environment variable can ever give a value to: mistakes of the scenario. */
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

/** Columns that no row of their feed has, and variables that the environment lacks. Known once the feeds are read. */
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
