/** A group of a Prometheus rule file. */
export interface RuleGroup {
  readonly name: string;
  readonly interval: string;
  readonly rules: readonly (RecordingRule | AlertingRule)[];
}

/** Keeps the value of an expression under a name of the form `level:metric:operation`. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

export interface AlertingRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: Severity };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    readonly runbook_url: string;
  };
}

/** `page` wakes someone, `ticket` waits for the morning, `info` is read with other things. */
export type Severity = 'page' | 'ticket' | 'info';

/** Where runbooks lie. Relative to the repository; a URL where they are published. */
export const runbookBase = 'docs/runbooks/';

/** An alert of the house. */
export function alert(spec: {
  /** In the form that Prometheus shows, `WeirTargetDown`. The runbook's file name follows from it. */
  readonly name: string;
  readonly severity: Severity;
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
    labels: { severity: spec.severity },
    annotations: {
      summary: spec.summary,
      description: spec.description,
      runbook_url: `${runbookBase}${spec.runbook ?? runbookOf(spec.name)}.md`,
    },
  };
}

/** `WeirNPlusOne` → `n-plus-one`: the runbook's file name without its ending. */
export function runbookOf(name: string): string {
  return name
    .replace(/^Weir/, '')
    .replace(/(?<!^)([A-Z])/g, '-$1')
    .toLowerCase();
}
