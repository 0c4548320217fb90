import { relabel, type Settings, scaleDuration, scaleTime, slugOf } from '../customise.ts';
import { objectives } from './objectives.ts';
import { packages } from './packages.ts';
import type { AlertingRule, RecordingRule, RuleGroup } from './rule.ts';
import { processes } from './runtime.ts';

/** Every rule as the settings want it, in the order of the file. */
export function ruleGroups(settings: Settings): readonly RuleGroup[] {
  const { prefix, timeScale } = settings;
  return [...objectives(settings.slo), ...packages, ...processes].map(({ name, interval, rules }) => ({
    name: name.replace(/^weir/, slugOf(prefix)),
    interval: scaleDuration(interval, timeScale),
    rules: rules.map((rule) => ('alert' in rule ? ownAlert(rule, settings) : ownRecording(rule, settings))),
  }));
}

function ownRecording(rule: RecordingRule, settings: Settings): RecordingRule {
  return { ...rule, expr: ownExpr(rule.expr, settings) };
}

function ownAlert(rule: AlertingRule, settings: Settings): AlertingRule {
  const { summary, description, runbook_url } = rule.annotations;
  return {
    alert: rule.alert.replace(/^Weir/, settings.prefix.replaceAll(' ', '')),
    expr: ownExpr(rule.expr, settings),
    for: scaleDuration(rule.for, settings.timeScale),
    labels: rule.labels,
    annotations: {
      summary: relabel(summary, settings),
      description: relabel(description, settings),
      runbook_url: settings.runbooks + runbook_url,
    },
  };
}

function ownExpr(expr: string, settings: Settings): string {
  return scaleTime(relabel(expr, settings), settings.timeScale);
}
