import type { FieldConfig, Threshold } from './dashboard.ts';

/** Grafana's colour name of the highest step at or below `value`; `undefined` without thresholds. */
export function thresholdColor(config: FieldConfig, value: number | null): string | undefined {
  const steps = absoluteSteps(config);
  return steps.findLast((step) => step.value === null || (value !== null && value >= step.value))?.color;
}

/** The steps in the field's own unit: percentages are resolved between its min and max. */
export function absoluteSteps(config: FieldConfig): readonly Threshold[] {
  const { mode, steps } = config.thresholds ?? { mode: 'absolute', steps: [] };
  if (mode !== 'percentage') return steps;
  const { min = 0, max = 100 } = config;
  return steps.map((step) => ({
    ...step,
    value: step.value === null ? null : min + ((max - min) * step.value) / 100,
  }));
}
