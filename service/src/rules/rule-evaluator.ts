import {
  createMatcher,
  evaluateInstant,
  isStale,
  Labels,
  type QueryOptions,
  type VectorSample,
} from '@weir/promql';
import { messageOf, ServiceError } from '../errors.ts';
import { type MetricStore, refusalOf } from '../store/metric-store.ts';
import { type MemorySeries, SampleBatch } from '../store/series.ts';
import { expandTemplate } from './expand-template.ts';
import {
  type Alert,
  advanceAlert,
  firingAlerts,
  freshState,
  type GroupAlerts,
  identityOf,
  placeOf,
  type Rule,
  type RuleGroup,
  type RuleGroupState,
  type RuleState,
} from './rule-state.ts';

/** How far back a restarted service searches for its earlier alerts. */
const restoreMs = 3_600_000;

/** Evaluates recording and alerting rules on the store and writes their results into it. */
export class RuleEvaluator {
  readonly #store: MetricStore;
  readonly #options: QueryOptions;
  #groups: RuleGroupState[] = [];
  #externalUrl = '';
  /** Series of removed rules that still need a stale marker. */
  readonly #ending = new Set<MemorySeries>();

  constructor(store: MetricStore, options: QueryOptions) {
    this.#store = store;
    this.#options = options;
  }

  /**
   * Replaces the groups. A rule with the same kind, name and labels keeps its state and alerts, even when its expression changes or it
   * moves to another group. Series of removed rules end with stale markers.
   * @param externalUrl Base URL of links in templates.
   */
  setGroups(groups: readonly RuleGroup[], externalUrl: string, timeMs: number): void {
    this.#externalUrl = externalUrl;
    const before = new Map(this.#groups.map((state) => [placeOf(state.group), state]));
    const left = new Set(this.#groups.flatMap(({ rules }) => rules));
    const states = new Map<Rule, RuleState>();
    const adopt = (rule: Rule, candidates: Iterable<RuleState>): void => {
      for (const state of candidates) {
        if (!left.has(state) || identityOf(state.rule) !== identityOf(rule)) continue;
        left.delete(state);
        states.set(rule, { ...state, rule });
        return;
      }
    };
    for (const group of groups)
      for (const rule of group.rules) adopt(rule, before.get(placeOf(group))?.rules ?? []);
    for (const rule of groups.flatMap(({ rules }) => rules)) if (!states.has(rule)) adopt(rule, left);
    this.#groups = groups.map((group) => {
      const { evaluatedMs, durationMs = 0 } = before.get(placeOf(group)) ?? {};
      const rules = group.rules.map((rule) => states.get(rule) ?? freshState(rule));
      return { group, rules, evaluatedMs, durationMs };
    });
    for (const { written } of left) for (const series of written) this.#ending.add(series);
    this.#endSeries(timeMs);
  }

  /** Evaluates the group at an index of {@link groups} once and returns its alerts. */
  evaluate(index: number, timeMs: number): GroupAlerts {
    const state = this.#groups[index];
    if (state === undefined) return { firing: [], unknown: [] };
    this.#endSeries(timeMs);
    const started = performance.now();
    for (const rule of state.rules) {
      const ruleStarted = performance.now();
      rule.health = 'ok';
      rule.lastError = '';
      try {
        this.#evaluateRule(rule, state.group, timeMs);
        rule.isKnown = true;
      } catch (thrown) {
        rule.health = 'err';
        rule.lastError = messageOf(thrown);
      }
      rule.evaluatedMs = timeMs;
      rule.durationMs = performance.now() - ruleStarted;
    }
    state.evaluatedMs = timeMs;
    state.durationMs = performance.now() - started;
    return {
      firing: state.rules.flatMap(firingAlerts),
      unknown: state.rules.filter(({ isKnown }) => !isKnown).map(({ rule }) => rule.name),
    };
  }

  /** The groups with the states of their rules, in the order of {@link setGroups}. */
  get groups(): readonly RuleGroupState[] {
    return this.#groups;
  }

  // Markers that the disk refuses now are written at the next evaluation.
  #endSeries(timeMs: number): void {
    if (this.#ending.size === 0) return;
    const batch = new SampleBatch<MemorySeries>();
    // A millisecond early, so that a rule may write the same series at `timeMs`.
    for (const series of this.#ending)
      if (!series.isRemoved && !series.isStale)
        batch.addStale(series, Math.max(series.lastMs + 1, timeMs - 1));
    try {
      this.#store.append(batch);
      this.#ending.clear();
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) throw thrown;
    }
  }

  #evaluateRule(state: RuleState, group: RuleGroup, timeMs: number): void {
    const result = evaluateInstant(this.#store, state.rule.query, timeMs, this.#options);
    let samples: readonly VectorSample[];
    if (result.type === 'vector') samples = result.samples;
    else if (result.type === 'scalar') samples = [{ labels: Labels.empty, timeMs, value: result.value }];
    else throw new Error(`expected a vector or a scalar, got a ${result.type}`);
    if (group.limit > 0 && samples.length > group.limit)
      throw new Error(`exceeded limit of ${group.limit} with ${samples.length} series`);
    if (state.rule.kind === 'recording') this.#record(state, samples, timeMs);
    else this.#alert(state, samples, timeMs);
  }

  #record(state: RuleState, samples: readonly VectorSample[], timeMs: number): void {
    const { name, labels } = state.rule;
    const wanted = samples.map((sample): [Labels, number] => [
      sample.labels.with({ ...labels, __name__: name }),
      sample.value,
    ]);
    if (new Set(wanted.map(([own]) => own.signature)).size !== wanted.length)
      throw new Error('vector contains metrics with the same labelset after applying rule labels');
    this.#write(state, wanted, timeMs);
  }

  #alert(state: RuleState, samples: readonly VectorSample[], timeMs: number): void {
    const { rule, alerts } = state;
    const active = new Set<string>();
    for (const sample of samples) {
      const data = {
        labels: sample.labels.toJSON(),
        value: sample.value,
        query: (text: string) => this.#query(text, timeMs),
        externalUrl: this.#externalUrl,
      };
      const expand = (templates: Readonly<Record<string, string>>): Record<string, string> =>
        Object.fromEntries(Object.entries(templates).map(([key, text]) => [key, expandTemplate(text, data)]));
      const labels = sample.labels.with({ __name__: '', ...expand(rule.labels), alertname: rule.name });
      if (active.has(labels.signature))
        throw new Error('vector contains metrics with the same labelset after applying alert labels');
      active.add(labels.signature);
      const alert: Alert = alerts.get(labels.signature) ?? {
        labels,
        annotations: {},
        value: sample.value,
        state: 'pending',
        activeMs: this.#restoredMs(state, labels, timeMs) ?? timeMs,
        firedMs: undefined,
        keepFiringSinceMs: undefined,
      };
      alert.value = sample.value;
      alert.annotations = expand(rule.annotations);
      alerts.set(labels.signature, alert);
    }
    const written: [Labels, number][] = [];
    for (const [signature, alert] of alerts) {
      if (advanceAlert(alert, rule, active.has(signature), timeMs)) {
        alerts.delete(signature);
        continue;
      }
      written.push([alert.labels.with({ __name__: 'ALERTS', alertstate: alert.state }), 1]);
      written.push([alert.labels.with({ __name__: 'ALERTS_FOR_STATE' }), alert.activeMs / 1000]);
    }
    this.#write(state, written, timeMs);
  }

  // For `{{ query "…" }}` of templates.
  #query(text: string, timeMs: number): { labels: Record<string, string>; value: number }[] {
    const result = evaluateInstant(this.#store, text, timeMs, this.#options);
    if (result.type === 'vector')
      return result.samples.map(({ labels, value }) => ({ labels: labels.toJSON(), value }));
    if (result.type === 'scalar') return [{ labels: {}, value: result.value }];
    throw new Error(`query result is a ${result.type}, not a vector or scalar`);
  }

  // When the alert became active before a restart, so that the restart does not reset `for`.
  #restoredMs(state: RuleState, labels: Labels, timeMs: number): number | undefined {
    if (state.evaluatedMs !== undefined || state.rule.forMs === 0) return undefined;
    const matchers = [...labels.with({ __name__: 'ALERTS_FOR_STATE' })].map(([name, value]) =>
      createMatcher(name, '=', value),
    );
    for (const series of this.#store.select(matchers, timeMs - restoreMs, timeMs)) {
      const last = series.values.length - 1;
      if (series.labels.size === labels.size + 1 && last >= 0 && !isStale(series.values, last))
        return (series.values[last] as number) * 1000;
    }
    return undefined;
  }

  #write(state: RuleState, wanted: readonly (readonly [Labels, number])[], timeMs: number): void {
    const batch = new SampleBatch<MemorySeries>();
    const written = new Set<MemorySeries>();
    for (const [labels, value] of wanted) {
      const series = this.#store.resolve(labels);
      if (series === undefined) {
        state.health = 'err';
        state.lastError = 'the store is at its limit of series. Raise `store.maxSeries`.';
        continue;
      }
      batch.add(series, timeMs, value);
      written.add(series);
    }
    for (const series of state.written)
      if (!written.has(series) && !series.isRemoved) batch.addStale(series, timeMs);
    const refusal = refusalOf(this.#store.append(batch));
    if (refusal !== undefined) {
      state.health = 'err';
      state.lastError = `not stored: ${refusal}`;
    }
    state.written = written;
  }
}
