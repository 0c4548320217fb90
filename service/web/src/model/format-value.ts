/** How a unit scales: from which value on which suffix. Ascending by `from`. */
interface Scale {
  readonly from: number;
  readonly divide: number;
  readonly suffix: string;
}

const metric = (suffix: string): readonly Scale[] => [
  { from: 0, divide: 1, suffix },
  { from: 1e3, divide: 1e3, suffix: `K${suffix}` },
  { from: 1e6, divide: 1e6, suffix: `M${suffix}` },
  { from: 1e9, divide: 1e9, suffix: `G${suffix}` },
  { from: 1e12, divide: 1e12, suffix: `T${suffix}` },
];

const rate = (suffix: string): readonly Scale[] =>
  metric('').map((scale) => ({ ...scale, suffix: `${scale.suffix} ${suffix}` }));

const seconds: readonly Scale[] = [
  { from: 0, divide: 1e-9, suffix: ' ns' },
  { from: 1e-6, divide: 1e-6, suffix: ' µs' },
  { from: 1e-3, divide: 1e-3, suffix: ' ms' },
  { from: 1, divide: 1, suffix: ' s' },
  { from: 60, divide: 60, suffix: ' min' },
  { from: 3600, divide: 3600, suffix: ' h' },
  { from: 86_400, divide: 86_400, suffix: ' d' },
];

const powers = (base: number, names: readonly string[]): readonly Scale[] =>
  names.map((name, index) => ({
    from: index === 0 ? 0 : base ** index,
    divide: base ** index,
    suffix: ` ${name}`,
  }));

const bytes = powers(1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
const decimalBytes = powers(1000, ['B', 'kB', 'MB', 'GB', 'TB']);
const perSecond = (scales: readonly Scale[]): readonly Scale[] =>
  scales.map((scale) => ({ ...scale, suffix: `${scale.suffix}/s` }));

const scalesOf: Readonly<Record<string, readonly Scale[]>> = {
  short: metric(''),
  s: seconds,
  ms: seconds.map((scale) => ({ ...scale, from: scale.from * 1e3, divide: scale.divide * 1e3 })),
  bytes,
  decbytes: decimalBytes,
  Bps: perSecond(decimalBytes),
  binBps: perSecond(bytes),
  reqps: rate('req/s'),
  ops: rate('ops/s'),
  cps: rate('/s'),
  cpm: rate('/min'),
};

/**
 * A value in a unit of Grafana's, as Grafana scales it: three significant digits unless `decimals` says otherwise.
 * Units unknown here appear behind the plain number. NaN and infinities keep their names.
 */
export function formatValue(value: number | null | undefined, unit = 'short', decimals?: number): string {
  if (value === null || value === undefined) return '–';
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '−Inf';
  if (unit === 'percentunit') return percent(value * 100, decimals);
  if (unit === 'percent') return percent(value, decimals);
  if (unit === 'none' || unit === '') return digits(value, decimals);
  if (unit === 'bool') return value === 0 ? 'no' : 'yes';
  if (unit === 'dateTimeAsIso') return new Date(value).toISOString().slice(0, 19).replace('T', ' ');
  const scales = scalesOf[unit];
  if (scales === undefined)
    return `${digits(value, decimals)} ${unit.replace(/^(suffix|prefix):/, '').trim()}`;
  if (value === 0) return zero(unit, scales);
  // What rounds up to the next unit belongs to it: 999.6 ms reads 1 s.
  const size = Math.abs(value) * (decimals === undefined ? 1.0005 : 1);
  const scale = scales.findLast(({ from }) => size >= from) ?? scales[0];
  if (scale === undefined) return digits(value, decimals);
  return digits(value / scale.divide, decimals) + scale.suffix;
}

/** Two decimals near 0 and near 100, where they matter (99.95 % is not 100 %), else one. */
function percent(value: number, decimals: number | undefined): string {
  const size = Math.abs(value);
  const fitting = size < 1 || (size > 99 && size < 100) ? 2 : 1;
  return `${digits(Number(value.toFixed(decimals ?? fitting)), decimals, 5)} %`;
}

function zero(unit: string, scales: readonly Scale[]): string {
  const suffix = unit === 's' ? ' s' : unit === 'ms' ? ' ms' : (scales[0]?.suffix ?? '');
  return `0${suffix}`;
}

/** Fixed decimals, or `significant` digits without trailing zeros; a true minus sign. */
function digits(value: number, decimals: number | undefined, significant = 3): string {
  const size = Math.abs(value);
  let text: string;
  if (decimals !== undefined) text = size.toFixed(decimals);
  else if (size >= 10 ** significant) text = size.toFixed(0);
  else if (size !== 0 && size < 1e-4) text = size.toExponential(2);
  else text = String(Number(size.toPrecision(significant)));
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** A count in full with thousands apart: `8,092`. For results, where `8.09K` would hide a difference. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-GB', { maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0 });
}
