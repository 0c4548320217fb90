import type { ResolvedRequest, ResolvedScenario } from '../scenario.ts';
import { authHeader } from './auth.ts';
import { type FeedRow, readFeed } from './feed.ts';
import type { SaveSource, StepCheck } from './flow.ts';
import { compileTemplate, type TemplateScope } from './template.ts';

/** A step ready to be sent. */
export interface CompiledStep {
  /** `flow / step`. */
  readonly name: string;
  readonly check: StepCheck;
  readonly save: readonly (readonly [string, SaveSource])[];
  readonly thinkMs: number;
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

/** @throws {@link ScenarioFileError} for a broken feed */
export function compileFlows(scenario: ResolvedScenario): FlowMix {
  const auth = authHeader(scenario.auth);
  const flows = (scenario.flows ?? []).map((flow) => ({
    weight: flow.weight ?? 1,
    credit: 0,
    steps: flow.steps.map((step): CompiledStep => {
      const path = compileTemplate(step.path, encodeURIComponent);
      const headers = Object.entries(step.headers ?? {}).map(
        ([name, value]) => [name, compileTemplate(value, oneLine)] as const,
      );
      const body = step.body === undefined ? undefined : compileTemplate(step.body);
      const method = step.method ?? 'GET';
      return {
        name: `${flow.name} / ${step.name ?? `${method} ${step.path}`}`,
        check: step.check ?? {},
        save: Object.entries(step.save ?? {}),
        thinkMs: step.thinkMs ?? 0,
        render: (scope) => ({
          method,
          path: path.render(scope),
          headers: {
            ...auth,
            ...Object.fromEntries(headers.map(([name, value]) => [name, value.render(scope)])),
          },
          ...(body === undefined ? {} : { body: body.render(scope) }),
        }),
      };
    }),
  }));
  const feeds = Object.entries(scenario.feeds ?? {}).map(([name, file]) => ({
    name,
    rows: readFeed(file, process.cwd()),
    next: 0,
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

function oneLine(value: string): string {
  if (/[\r\n]/.test(value)) throw new Error('a header value has a line break');
  return value;
}
