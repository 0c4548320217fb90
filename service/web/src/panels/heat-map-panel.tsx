import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { drawHeatMap } from '../charts/draw-heat-map.ts';
import { formatValue } from '../format/format-value.ts';
import { heatMapCells } from '../model/heat-map.ts';
import { formatMoment } from '../time/range.ts';
import { onThemeChange } from '../ui/theme.ts';
import type { PanelView } from './panel.tsx';

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
