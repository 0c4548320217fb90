import type { JSX } from 'preact';
import { grafanaColor } from '../charts/colors.ts';
import { Sparkline } from '../charts/sparkline.tsx';
import { displayValue } from '../model/display.ts';
import { reduce } from '../model/reduce.ts';
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
