import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { ChartModel } from '../model/chart-model.ts';
import { onThemeChange } from '../ui/theme.ts';
import { chartData, chartOptions } from './chart-options.ts';
import { Tooltip } from './tooltip.ts';

/** A chart over time that fills its parent. */
interface ChartProps {
  readonly model: ChartModel;
  /** Bounds of the time axis, Unix seconds. */
  readonly range: readonly [number, number];
  /** What a screen reader calls the chart. */
  readonly label: string;
  /** Charts of one key share their crosshair. */
  readonly syncKey?: string;
  readonly onSelect?: (fromS: number, toS: number) => void;
}

/** Draws with uPlot; keyboard: arrow keys walk through time, and what stands there is read out. */
export function Chart(props: ChartProps): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const [spoken, setSpoken] = useState('');
  const theme = useThemeVersion();
  const shape = JSON.stringify([
    theme,
    props.syncKey,
    props.model.stacked,
    props.model.unit,
    props.model.limits,
    props.model.series.map(({ name, color, fillOpacity, dash }) => [name, color, fillOpacity, dash]),
  ]);

  useLayoutEffect(() => {
    const element = host.current;
    if (element === null) return;
    const tooltip = new Tooltip(element, () => latest.current.model);
    let attended = false;
    const cursor = (plot: uPlot, index: number | null): void => {
      if (!attended || index === null || (plot.cursor.left ?? -1) < 0) {
        tooltip.hide();
        return;
      }
      const text = tooltip.show(plot, index);
      if (document.activeElement === element) setSpoken(text);
    };
    const size = { width: element.clientWidth, height: element.clientHeight };
    const select = (fromS: number, toS: number): void => latest.current.onSelect?.(fromS, toS);
    const plot = new uPlot(
      chartOptions(
        latest.current.model,
        size,
        () => latest.current.range,
        { model: () => latest.current.model, cursor, ...(latest.current.onSelect && { select }) },
        latest.current.syncKey,
      ),
      chartData(latest.current.model),
      element,
    );
    chart.current = plot;
    const attend = (on: boolean) => (): void => {
      attended = on;
      if (!on) tooltip.hide();
    };
    const enter = attend(true);
    const leave = attend(false);
    plot.over.addEventListener('mouseenter', enter);
    plot.over.addEventListener('mouseleave', leave);
    element.addEventListener('focus', enter);
    element.addEventListener('blur', leave);
    const resize = new ResizeObserver(() => {
      plot.setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    resize.observe(element);
    return () => {
      resize.disconnect();
      element.removeEventListener('focus', enter);
      element.removeEventListener('blur', leave);
      plot.destroy();
      element.replaceChildren();
      chart.current = undefined;
    };
  }, [shape]);

  useEffect(() => chart.current?.setData(chartData(props.model)), [props.model, shape]);

  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: no element means a chart */}
      <div
        class="chart"
        ref={host}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor
        tabIndex={0}
        role="group"
        aria-roledescription="chart"
        aria-label={`${props.label}. Arrow keys move through time.`}
        onKeyDown={(event) => {
          if (chart.current !== undefined && walk(chart.current, event.key)) event.preventDefault();
        }}
      />
      <output class="sr-only" aria-live="polite">
        {spoken}
      </output>
    </>
  );
}

/** Moves the cursor of `chart` by a key; true if the key was one. */
function walk(chart: uPlot, key: string): boolean {
  const times = chart.data[0];
  const last = times.length - 1;
  const now = chart.cursor.idx ?? last;
  const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last }[key];
  if (next === undefined || last < 0) return false;
  const time = times[Math.min(last, Math.max(0, next))] ?? 0;
  chart.setCursor({ left: chart.valToPos(time, 'x'), top: 10 }, true);
  return true;
}

function useThemeVersion(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => onThemeChange(() => setVersion((count) => count + 1)), []);
  return version;
}
