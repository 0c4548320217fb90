import type { ActiveTarget, TargetList } from '../../../src/http/status-routes.ts';
import type { ApiAlertingRule, ApiRuleGroup } from '../../../src/rules/rule-api.ts';
import type { ExemplarSeries } from '../../../src/threads/store-methods.ts';
import type { Labels, MatrixSeries } from '../model/frame.ts';
import type { TimeRange } from '../model/time-range.ts';
import { requestJson } from './http.ts';

export type { ActiveTarget, ApiAlertingRule, ExemplarSeries };

interface Envelope<T> {
  readonly status: 'success';
  readonly data: T;
  readonly warnings?: readonly string[];
}

async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  return (await requestJson<Envelope<T>>(`/api/v1/${path}`, init)).data;
}

/** A form-encoded POST, as Grafana asks: expressions may be longer than a URL. */
function post<T>(path: string, form: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<T> {
  return ask<T>(path, { method: 'POST', body: new URLSearchParams(form), ...(signal && { signal }) });
}

/** The series of `expr` over `range`, a point each `stepMs`. */
export async function queryRange(
  expr: string,
  range: TimeRange,
  stepMs: number,
  signal?: AbortSignal,
): Promise<readonly MatrixSeries[]> {
  const form = {
    query: expr,
    start: String(range.fromMs / 1000),
    end: String(range.toMs / 1000),
    step: String(stepMs / 1000),
  };
  return (await post<{ result: readonly MatrixSeries[] }>('query_range', form, signal)).result;
}

/** A series at one moment. */
interface InstantSeries {
  readonly metric: Labels;
  readonly value: readonly [seconds: number, value: string];
}

/** The answer of an instant query, by its type. */
type InstantResult =
  | { readonly resultType: 'vector'; readonly result: readonly InstantSeries[] }
  | { readonly resultType: 'matrix'; readonly result: readonly MatrixSeries[] }
  | { readonly resultType: 'scalar' | 'string'; readonly result: readonly [number, string] };

/** The value of `expr` at one moment, of whatever type it is. */
export function query(expr: string, timeMs: number, signal?: AbortSignal): Promise<InstantResult> {
  return post('query', { query: expr, time: String(timeMs / 1000) }, signal);
}

/** The exemplars of every series that `expr` selects. */
export function queryExemplars(
  expr: string,
  range: TimeRange,
  signal?: AbortSignal,
): Promise<readonly ExemplarSeries[]> {
  const form = { query: expr, start: String(range.fromMs / 1000), end: String(range.toMs / 1000) };
  return post('query_exemplars', form, signal);
}

/** The values that `label` has within `range`, among the series of `selector` if given. */
export function labelValues(
  label: string,
  selector: string | undefined,
  range: TimeRange,
): Promise<string[]> {
  const parameters = new URLSearchParams({
    start: String(range.fromMs / 1000),
    end: String(range.toMs / 1000),
  });
  if (selector !== undefined) parameters.set('match[]', selector);
  return ask(`label/${encodeURIComponent(label)}/values?${parameters}`);
}

/** Every active target. */
export async function targets(signal?: AbortSignal): Promise<readonly ActiveTarget[]> {
  const init = signal && { signal };
  return (await ask<TargetList>('targets', init)).activeTargets;
}

/** Every label name within `range`. */
export function labelNames(range: TimeRange): Promise<string[]> {
  return ask(`labels?start=${range.fromMs / 1000}&end=${range.toMs / 1000}`);
}

/** Every alerting rule, and what is missing of them in words. */
export async function alertRules(
  signal?: AbortSignal,
): Promise<{ readonly rules: readonly ApiAlertingRule[]; readonly warnings: readonly string[] }> {
  const { data, warnings = [] } = await requestJson<Envelope<{ readonly groups: readonly ApiRuleGroup[] }>>(
    '/api/v1/rules',
    signal && { signal },
  );
  const rules = data.groups.flatMap((group) => group.rules.filter((rule) => rule.type === 'alerting'));
  return { rules, warnings };
}
