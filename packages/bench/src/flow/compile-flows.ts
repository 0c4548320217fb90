import { ScenarioError } from '../errors.ts';
import type { ResolvedRequest, ResolvedScenario } from '../scenario.ts';
import { authHeader, credentialsBeside } from './auth.ts';
import { type FeedRow, readFeed } from './feed.ts';
import type { FlowStep, SaveSource, StepCheck } from './flow.ts';
import { findMissingValues } from './named-values.ts';
import { compileTemplate, type TemplateScope } from './template.ts';

/** A step ready to be sent. */
export interface CompiledStep {
  /** `flow / step`. */
  readonly name: string;
  readonly check: StepCheck;
  readonly save: readonly (readonly [string, SaveSource])[];
  readonly thinkMs: number;
  /** A check or a saved value needs the answer's body; the body of any other step is not kept. */
  readonly readsBody: boolean;
  /** @throws Error naming the value that is missing */
  render(scope: TemplateScope): ResolvedRequest;
}

/** A session about to begin, with values of its own. */
export interface Session {
  readonly steps: readonly CompiledStep[];
  readonly scope: Record<string, unknown>;
}

/** Hands out sessions in the mix of their weights; feeds give each session their next row, and begin again at their end. */
export interface FlowMix {
  begin(): Session;
}

/**
 * Reads every feed; the work of a moment without feeds, of seconds with millions of rows.
 *
 * @throws {@link ScenarioFileError} for a broken feed
 * @throws {@link ScenarioError} for a column or a variable of the environment that is not there
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
      // Smooth weighted round robin: whoever has waited longest for its weight goes next.
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
