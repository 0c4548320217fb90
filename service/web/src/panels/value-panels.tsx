import type { JSX } from 'preact';
import { Sparkline } from '../charts/sparkline.tsx';
import { grafanaColor } from '../model/colors.ts';
import { displayValue, gaugeArcs } from '../model/display.ts';
import { reduce } from '../model/frame.ts';
import type { PanelView } from './panel.tsx';
import type { PanelSeries } from './panel-data.ts';

/** Numbers with their course as a water level behind them. */
export function StatPanel({ panel, data }: PanelView): JSX.Element {
  const calc = panel.options?.reduceOptions?.calcs?.[0] ?? 'lastNotNull';
  const named = panel.options?.textMode === 'value_and_name' || data.series.length > 1;
  const graph = panel.options?.graphMode !== 'none';
  return (
    <div class="stats">
      {data.series.map((series) => (
        <Stat key={series.refId + series.name} series={series} calc={calc} named={named} graph={graph} />
      ))}
    </div>
  );
}

function Stat(props: {
  readonly series: PanelSeries;
  readonly calc: string;
  readonly named: boolean;
  readonly graph: boolean;
}): JSX.Element {
  const { series, calc, named, graph } = props;
  const { config } = series;
  const value = reduce(series.values, calc);
  const { text, color } = displayValue(config, value);
  return (
    <div class="stat" style={{ '--tone': grafanaColor(color ?? 'text') }}>
      {graph && <Sparkline values={series.values} />}
      {named && <div class="stat-name">{series.name}</div>}
      <div class={value === null ? 'stat-words' : 'stat-value'}>
        {value === null ? text : <Figure text={text} />}
      </div>
    </div>
  );
}

/** The number large, its unit small. */
function Figure({ text }: { readonly text: string }): JSX.Element {
  const [, number = text, unit = ''] = /^([−\d.e+-]+)\s*(.*)$/.exec(text) ?? [];
  return (
    <>
      {number}
      {unit !== '' && <span class="stat-unit"> {unit}</span>}
    </>
  );
}

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
