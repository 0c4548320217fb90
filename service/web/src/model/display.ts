import { formatValue } from '../format/format-value.ts';
import type { FieldConfig, ValueMapping } from './dashboard.ts';
import { thresholdColor } from './thresholds.ts';

/** A value as a panel shows it: in words and colour, as Grafana's names. */
export interface Display {
  readonly text: string;
  readonly color: string | undefined;
}

/** By the field's value mappings, else its unit and thresholds; the field's own words for no value. */
export function displayValue(config: FieldConfig, value: number | null): Display {
  const mapped = value === null ? undefined : mappedValue(config.mappings ?? [], value);
  const color =
    mapped?.color ??
    (config.color?.mode === 'fixed' ? config.color.fixedColor : thresholdColor(config, value));
  if (value === null) return { text: config.noValue ?? 'No data', color };
  return { text: mapped?.text ?? formatValue(value, config.unit, config.decimals), color };
}

interface Result {
  readonly text?: string;
  readonly color?: string;
}

function mappedValue(mappings: readonly ValueMapping[], value: number): Result | undefined {
  for (const { type, options } of mappings) {
    if (type === 'value') {
      const result = (options as Readonly<Record<string, Result>>)[String(value)];
      if (result !== undefined) return result;
    }
    if (type === 'range') {
      const { from, to, result } = options as { from: number | null; to: number | null; result: Result };
      if (value >= (from ?? Number.NEGATIVE_INFINITY) && value <= (to ?? Number.POSITIVE_INFINITY))
        return result;
    }
  }
  return undefined;
}
