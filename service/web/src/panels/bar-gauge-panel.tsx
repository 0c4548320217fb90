import type { JSX } from 'preact';
import { grafanaColor } from '../charts/colors.ts';
import { displayValue } from '../model/display.ts';
import { reduce } from '../model/reduce.ts';
import type { PanelView } from './panel.tsx';

/** A ranking: one bar a series, the largest first. */
export function BarGaugePanel({ panel, data }: PanelView): JSX.Element {
  const calc = panel.options?.reduceOptions?.calcs?.[0] ?? 'lastNotNull';
  const bars = data.series
    .map((series) => ({ ...series, value: reduce(series.values, calc) }))
    .filter(({ value }) => value !== null)
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
  const max = panel.fieldConfig?.defaults.max ?? Math.max(...bars.map(({ value }) => value ?? 0));
  return (
    <ol class="bar-gauge">
      {bars.map(({ refId, name, value, config }) => (
        <li
          key={refId + name}
          style={{
            '--tone': grafanaColor(displayValue(config, value).color ?? 'blue'),
            '--share': String(max === 0 ? 0 : (value ?? 0) / max),
          }}
        >
          <span class="bar-gauge-name">{name}</span>
          <span class="bar-gauge-value">{displayValue(config, value).text}</span>
          <span class="bar-gauge-bar" aria-hidden="true" />
        </li>
      ))}
    </ol>
  );
}
