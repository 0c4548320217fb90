/** A group of a Prometheus rule file. */
export interface RuleGroup {
  readonly name: string;
  readonly interval: string;
  readonly rules: readonly (RecordingRule | AlertingRule)[];
}

/** Keeps the value of an expression under a name of the form `level:metric:operation`. */
export interface RecordingRule {
  readonly record: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly expr: string;
}

/** Condition, label set and words of an alert, as a rule file holds them. */
export interface AlertingRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: Severity; readonly slo?: string };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    /** File name of the runbook until the settings say where runbooks lie. */
    readonly runbook_url: string;
  };
}

/** `page` wakes someone, `ticket` waits for the morning, `info` is read with other things. */
export type Severity = 'page' | 'ticket' | 'info';

/** Recorded utilisation (0–1) of each process's event loop. */
export const loopUtilisation = 'job_instance:nodejs_eventloop_utilisation:ratio_rate5m';

/** Recorded share (0–1) of requests that each guard against overload refuses. */
export const refusedRatio = 'job_guard:weir_overload_refused:ratio_rate5m';

/** Above these, an alert of its own fires. */
export const saturation = { loopUtilisation: 0.9, refusedRatio: 0.05 } as const;

/**
 * Ends an expression: not while a process of the job is saturated or sheds load, which have their own alerts, nor for as
 * long as a rate over 10 m remembers it. What such a process measures of others, it measures of itself.
 */
export const unlessSaturated: string = `unless on (job) (max by (job) (max_over_time(${loopUtilisation}[10m])) > ${saturation.loopUtilisation} or max by (job) (max_over_time(${refusedRatio}[10m])) > ${saturation.refusedRatio})`;

/** An alert of the house. */
export function alert(spec: {
  /** In the form that Prometheus shows, `WeirTargetDown`. The runbook's file name follows from it. */
  readonly name: string;
  readonly severity: Severity;
  readonly labels?: { readonly slo: string };
  readonly expr: string;
  /** How long the condition must hold. */
  readonly for: string;
  /** One line with the labels that tell which one. */
  readonly summary: string;
  /** What to do. */
  readonly description: string;
  /** File name of the runbook, without its ending, where several alerts share one. */
  readonly runbook?: string;
}): AlertingRule {
  return {
    alert: spec.name,
    expr: spec.expr,
    for: spec.for,
    labels: { severity: spec.severity, ...spec.labels },
    annotations: {
      summary: spec.summary,
      description: spec.description,
      runbook_url: `${spec.runbook ?? runbookOf(spec.name)}.md`,
    },
  };
}

/** `WeirNPlusOne` → `n-plus-one`: the runbook's file name without its ending. */
function runbookOf(name: string): string {
  return name
    .replace(/^Weir/, '')
    .replace(/(?<!^)([A-Z])/g, '-$1')
    .toLowerCase();
}

/**
 * Every alert's expression with recorded series replaced by what records them, so that it asks of scraped series
 * alone: for engines that record nothing, and to compare engines that record at different moments.
 *
 * @param step of the subqueries that ranges of recorded series become
 */
export function inlineRecordings(groups: readonly RuleGroup[], step: string): ReadonlyMap<string, string> {
  const recordings = groups
    .flatMap(({ rules }) => rules)
    .flatMap((rule) => ('record' in rule ? [rule] : []))
    .map(({ record, labels, expr }) => ({
      selector: labels?.slo === undefined ? record : `${record}{slo="${labels.slo}"}`,
      expr,
    }));
  const inlined = new Map<string, string>();
  for (const rule of groups.flatMap(({ rules }) => rules)) {
    if (!('alert' in rule)) continue;
    let expr = rule.expr;
    for (const recording of recordings) {
      expr = expr
        .replaceAll(`${recording.selector}[`, `(${recording.expr})[STEP `)
        .replaceAll(recording.selector, `(${recording.expr})`)
        .replace(/\[STEP (\w+)\]/g, `[$1:${step}]`);
    }
    inlined.set(`${rule.alert} ${rule.labels.slo ?? ''}`.trim(), expr);
  }
  return inlined;
}
