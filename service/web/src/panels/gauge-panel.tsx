import type { JSX } from 'preact';
import { grafanaColor } from '../charts/colors.ts';
import { displayValue } from '../model/display.ts';
import { gaugeArcs } from '../model/gauge.ts';
import { reduce } from '../model/reduce.ts';
import type { PanelView } from './panel.tsx';
import type { PanelSeries } from './panel-data.ts';

/** A dial for each series: how far it is between its bounds, the thresholds around it. */
export function GaugePanel({ panel, data }: PanelView): JSX.Element {
  const calc = panel.options?.reduceOptions?.calcs?.[0] ?? 'lastNotNull';
  return (
    <div class="gauges">
      {data.series.map((series) => (
        <Gauge
          key={series.refId + series.name}
          series={series}
          value={reduce(series.values, calc)}
          named={data.series.length > 1}
        />
      ))}
    </div>
  );
}

function Gauge(props: {
  readonly series: PanelSeries;
  readonly value: number | null;
  readonly named: boolean;
}): JSX.Element {
  const { series, value, named } = props;
  const { config, name } = series;
  const { track, needle, bands } = gaugeArcs(config, value);
  const { text, color } = displayValue(config, value);
  return (
    <div class="gauge" style={{ '--tone': grafanaColor(color ?? 'text') }}>
      <svg viewBox="0 0 200 128" role="img" aria-label={`${name}: ${text}`}>
        <path class="gauge-track" d={track} />
        {needle !== undefined && <path class="gauge-value" d={needle} />}
        {bands.map(({ path, color }) => (
          <path key={path} class="gauge-band" d={path} style={{ stroke: grafanaColor(color) }} />
        ))}
        <text x="100" y="98" class="gauge-text">
          {text}
        </text>
      </svg>
      {named && <div class="stat-name">{name}</div>}
    </div>
  );
}
