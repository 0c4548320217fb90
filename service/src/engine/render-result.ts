import { formatValue, type MatrixSeries, type QueryResult, type VectorSample } from '@weir/promql';
import type { ApiData } from './engine-protocol.ts';

/** A query's result as the JSON of `data` in Prometheus' envelope. `limit` bounds the series, 0 for no bound. */
export function renderResult(result: QueryResult, limit: number): ApiData {
  const warnings = [...result.warnings];
  const cut = <T>(items: readonly T[]): readonly T[] => {
    if (limit === 0 || items.length <= limit) return items;
    warnings.push('results truncated due to limit');
    return items.slice(0, limit);
  };
  const body = renderValue(result, cut);
  const data = new TextEncoder().encode(`{"resultType":"${result.type}","result":${body}}`);
  return { data, warnings, infos: result.infos };
}

function renderValue(result: QueryResult, cut: <T>(items: readonly T[]) => readonly T[]): string {
  switch (result.type) {
    case 'scalar':
      return point(result.timeMs, result.value);
    case 'string':
      return `[${seconds(result.timeMs)},${JSON.stringify(result.value)}]`;
    case 'vector':
      return `[${cut(result.samples).map(renderSample).join(',')}]`;
    case 'matrix':
      return `[${cut(result.series).map(renderSeries).join(',')}]`;
  }
}

function renderSample({ labels, timeMs, value }: VectorSample): string {
  return `{"metric":${JSON.stringify(labels)},"value":${point(timeMs, value)}}`;
}

function renderSeries({ labels, timestamps, values }: MatrixSeries): string {
  const points = new Array<string>(timestamps.length);
  for (let i = 0; i < timestamps.length; i++) points[i] = point(timestamps[i] as number, values[i] as number);
  return `{"metric":${JSON.stringify(labels)},"values":[${points.join(',')}]}`;
}

function point(timeMs: number, value: number): string {
  return `[${seconds(timeMs)},"${formatValue(value)}"]`;
}

// Milliseconds as seconds without the noise of a division.
function seconds(timeMs: number): string {
  const whole = Math.trunc(timeMs / 1000);
  const rest = Math.abs(timeMs % 1000);
  if (rest === 0) return String(whole);
  const sign = timeMs < 0 && whole === 0 ? '-' : '';
  return `${sign}${whole}.${String(Math.round(rest)).padStart(3, '0')}`;
}
