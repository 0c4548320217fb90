import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Chart } from '../charts/chart.tsx';
import { drawHeatMap } from '../charts/draw.ts';
import type { ChartMark, ChartModel, ChartSeries } from '../model/chart-model.ts';
import { grafanaColor, repeatedColor } from '../model/colors.ts';
import type { Panel } from '../model/dashboard.ts';
import { absoluteSteps, assignSeriesColors, thresholdColor } from '../model/display.ts';
import { formatValue } from '../model/format-value.ts';
import { calcLabel, reduce } from '../model/frame.ts';
import { heatMapCells } from '../model/heat-map.ts';
import { formatMoment } from '../model/time-range.ts';
import { onThemeChange } from '../ui/theme.ts';
import type { PanelView } from './panel.tsx';
import type { PanelData, PanelSeries } from './panel-data.ts';
import { Traces } from './text-panels.tsx';

/** A chart over time with its legend; a click on a name shows that series alone. */
export function TimeSeriesPanel({ panel, data, dashboard }: PanelView): JSX.Element {
  const [alone, setAlone] = useState<string | undefined>(undefined);
  const whole = useMemo(() => chartModel(panel, data, dashboard.marks), [panel, data, dashboard.marks]);
  const model = useMemo(() => only(whole, alone), [whole, alone]);
  const calcs = panel.options?.legend?.calcs ?? [];
  const entries = whole.series.map((series): LegendEntry => {
    const text = (calc: string): string =>
      formatValue(reduce(series.values, calc), series.unit, series.decimals);
    return {
      name: series.name,
      color: series.color,
      values: calcs.map((calc) => ({ label: calcs.length > 1 ? calcLabel(calc) : '', text: text(calc) })),
    };
  });
  const { fromMs, toMs } = dashboard.range;
  const summary = entries.slice(0, 6).map(({ name, values }) => `${name} ${values[0]?.text ?? ''}`);
  return (
    <>
      <div class="chart-host">
        <Chart
          model={model}
          range={[fromMs / 1000, toMs / 1000]}
          label={`${panel.title}: ${summary.join(', ')}`}
          syncKey="dashboard"
          onSelect={(fromS, toS) => dashboard.zoom({ fromMs: fromS * 1000, toMs: toS * 1000 })}
        />
      </div>
      {panel.options?.legend?.showLegend !== false && (
        <Legend
          entries={entries}
          alone={alone}
          onToggle={(name) => setAlone((now) => (now === name ? undefined : name))}
        />
      )}
      {data.exemplars.length > 0 && (
        <Traces model={whole} title={panel.title} traceUrl={dashboard.traceUrl} />
      )}
    </>
  );
}

function only(model: ChartModel, name: string | undefined): ChartModel {
  if (name === undefined || !model.series.some((series) => series.name === name)) return model;
  return { ...model, series: model.series.filter((series) => series.name === name) };
}

/** The course of a distribution: time from left to right, buckets upwards, the darker the more observations. */
export function HeatMapPanel({ panel, data }: PanelView): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const cells = useMemo(() => heatMapCells(data.times, data.series), [data]);
  const [pointed, setPointed] = useState<string | undefined>(undefined);
  const unit = (panel.options?.yAxis as { unit?: string } | undefined)?.unit;
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const draw = (): void => drawHeatMap(element, cells, unit);
    const resize = new ResizeObserver(draw);
    resize.observe(element);
    const stop = onThemeChange(draw);
    draw();
    return () => {
      resize.disconnect();
      stop();
    };
  }, [cells, unit]);
  const point = (event: PointerEvent): void => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const cell = cells.at((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
    if (cell === undefined) setPointed(undefined);
    else {
      const bounds = `${formatValue(cell.low, unit)} – ${formatValue(cell.high, unit)}`;
      setPointed(`${formatMoment(cell.seconds * 1000)} · ${bounds}: ${formatValue(cell.perSecond)} /s`);
    }
  };
  return (
    <>
      <div class="heat-map">
        <canvas
          ref={canvas}
          role="img"
          aria-label={`${panel.title}: ${cells.summary((value) => formatValue(value, unit))}`}
        />
        <div class="heat-map-plot" onPointerMove={point} onPointerLeave={() => setPointed(undefined)} />
      </div>
      <p class="heat-map-value">{pointed ?? cells.summary((value) => formatValue(value, unit))}</p>
    </>
  );
}

/** A name of the legend with the values that stand beside it. */
interface LegendEntry {
  readonly name: string;
  readonly color: string;
  readonly values: readonly { readonly label: string; readonly text: string }[];
}

/** The names of a chart's series. Each is a button that shows its series alone, and all again. */
function Legend(props: {
  readonly entries: readonly LegendEntry[];
  readonly alone: string | undefined;
  readonly onToggle: (name: string) => void;
}): JSX.Element {
  return (
    <ul class="legend">
      {props.entries.map(({ name, color, values }) => (
        <li key={name}>
          <button
            type="button"
            class={props.alone !== undefined && props.alone !== name ? 'legend-item dimmed' : 'legend-item'}
            aria-pressed={props.alone === name}
            title={`Show ${name} alone`}
            onClick={() => props.onToggle(name)}
          >
            <span class="swatch" style={{ background: color }} />
            <span class="legend-name">{name}</span>
            {values.map(({ label, text }) => (
              <span class="legend-value" key={label}>
                {label !== '' && <span class="legend-calc">{label} </span>}
                {text}
              </span>
            ))}
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The chart that a time series panel describes. Series come in the order of their names within each query. */
function chartModel(panel: Panel, data: PanelData, marks: readonly ChartMark[] = []): ChartModel {
  const defaults = panel.fieldConfig?.defaults ?? {};
  const custom = defaults.custom ?? {};
  const series = data.series
    .filter(({ values, config }) => config.custom?.hideFrom?.viz !== true && values.some((v) => v !== null))
    .sort((a, b) => a.refId.localeCompare(b.refId) || a.name.localeCompare(b.name, 'en', { numeric: true }));
  const colors = seriesColors(series);
  const limitMode = custom.thresholdsStyle?.mode ?? 'off';
  return {
    times: data.times,
    series: series.map((one, index) => chartSeries(one, colors[index] ?? 'var(--series-1)')),
    stacked: custom.stacking?.mode === 'normal',
    log: custom.scaleDistribution?.type === 'log',
    unit: defaults.unit,
    decimals: defaults.decimals,
    min: defaults.min,
    max: defaults.max,
    marks,
    exemplars: data.exemplars,
    limits:
      limitMode === 'off'
        ? []
        : absoluteSteps(defaults).flatMap(({ value, color }) =>
            value === null ? [] : [{ value, color: grafanaColor(color) }],
          ),
  };
}

function chartSeries({ name, values, config }: PanelSeries, color: string): ChartSeries {
  const { custom = {} } = config;
  return {
    name,
    values,
    color,
    fillOpacity: custom.fillOpacity ?? 0,
    lineWidth: custom.lineWidth ?? 1,
    ...(custom.lineStyle?.dash && { dash: custom.lineStyle.dash }),
    bars: custom.drawStyle === 'bars',
    unit: config.unit,
    decimals: config.decimals,
  };
}

/** Fixed and threshold colours as the dashboard says, a second use of one a shade apart; else by name. */
function seriesColors(all: readonly PanelSeries[]): readonly string[] {
  const byName = assignSeriesColors(all.map(({ name }) => name));
  const uses = new Map<string, number>();
  return all.map(({ name, config, values }) => {
    const fixed = namedColor(config, values);
    if (fixed === undefined) return `var(--series-${byName.get(name) ?? 1})`;
    const repeat = uses.get(fixed) ?? 0;
    uses.set(fixed, repeat + 1);
    return repeatedColor(grafanaColor(fixed), repeat);
  });
}

function namedColor(config: PanelSeries['config'], values: PanelSeries['values']): string | undefined {
  if (config.color?.mode === 'fixed') return config.color.fixedColor;
  if (config.color?.mode === 'thresholds') return thresholdColor(config, reduce(values, 'lastNotNull'));
  return undefined;
}
