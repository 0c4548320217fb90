import type uPlot from 'uplot';
import type { ChartModel } from '../model/chart-model.ts';
import { formatValue } from '../model/format-value.ts';
import { formatMoment } from '../model/time-range.ts';

const maxRows = 14;

/** The box that follows the cursor: the moment, and each series' value there, the highest first. */
export class Tooltip {
  readonly #box: HTMLDivElement;
  readonly #model: () => ChartModel;

  /** @param host the chart's element; the box may reach beyond it, never beyond the window */
  constructor(host: HTMLElement, model: () => ChartModel) {
    this.#model = model;
    this.#box = document.createElement('div');
    this.#box.className = 'tooltip';
    this.#box.hidden = true;
    host.append(this.#box);
  }

  hide(): void {
    this.#box.hidden = true;
  }

  /** Shows the values at point `index`, beside the cursor of `chart`. Returns them as one sentence. */
  show(chart: uPlot, index: number): string {
    const model = this.#model();
    const rows = rowsAt(model, index);
    const time = momentAt(model, index);
    this.#box.replaceChildren(element('div', 'tooltip-time', time));
    for (const { name, text, color } of rows.slice(0, maxRows)) {
      const row = element('div', 'tooltip-row');
      const key = element('span', 'swatch');
      key.style.background = color;
      row.append(key, element('span', 'tooltip-name', name), element('span', 'tooltip-value', text));
      this.#box.append(row);
    }
    if (rows.length === 0) this.#box.append(element('div', 'tooltip-more', 'No data here'));
    const beside = besides(model, index);
    for (const line of beside) this.#box.append(element('div', 'tooltip-more', line));
    if (rows.length > maxRows) {
      this.#box.append(element('div', 'tooltip-more', `and ${rows.length - maxRows} more`));
    }
    this.#box.hidden = false;
    this.#place(chart);
    return `${time}: ${rows.map(({ name, text }) => `${name} ${text}`).join(', ') || 'no data'}${beside.map((line) => `; ${line}`).join('')}`;
  }

  /** Right of the cursor, or left of it where the window ends. */
  #place(chart: uPlot): void {
    const { left: chartLeft, top: chartTop } = chart.over.getBoundingClientRect();
    const host = this.#box.offsetParent?.getBoundingClientRect() ?? { left: 0, top: 0 };
    const x = chartLeft + (chart.cursor.left ?? 0);
    const { offsetWidth: width, offsetHeight: height } = this.#box;
    const room = document.documentElement.clientWidth - x - width > 20;
    const left = room ? x + 14 : Math.max(4, x - width - 14);
    const top = Math.min(chartTop + (chart.cursor.top ?? 0) + 10, innerHeight - height - 8);
    this.#box.style.transform = `translate(${Math.round(left - host.left)}px, ${Math.round(top - host.top)}px)`;
  }
}

function momentAt(model: ChartModel, index: number): string {
  const seconds = model.times[index] ?? 0;
  return model.elapsed ? `${seconds} s after the start` : formatMoment(seconds * 1000);
}

function rowsAt(model: ChartModel, index: number): { name: string; text: string; color: string }[] {
  return model.series
    .map((series) => ({ ...series, value: series.values[index] ?? null }))
    .filter(({ value }) => value !== null)
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0))
    .map(({ name, value, color, unit, decimals }) => ({
      name,
      color,
      text: formatValue(value, unit, decimals),
    }));
}

/** What happened at the moment, and which traces were seen there. */
function besides(model: ChartModel, index: number): string[] {
  const { times, marks = [], exemplars = [], unit, decimals } = model;
  const at = times[index] ?? 0;
  const half = ((times[1] ?? 1) - (times[0] ?? 0)) / 2;
  const near = (moment: { readonly at: number }): boolean => Math.abs(moment.at - at) <= half;
  return [
    ...marks.filter(near).map(({ text }) => text),
    ...exemplars
      .filter(near)
      .slice(0, 3)
      .map(({ value, traceId }) => `${formatValue(value, unit, decimals)} in trace ${traceId}`),
  ];
}

function element(tag: string, className: string, text = ''): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
