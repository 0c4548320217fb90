/** A latency with three significant digits: `812 µs`, `4.31 ms`, `1.20 s`. */
export function formatLatency(ms: number): string {
  if (ms < 1) return `${significant(ms * 1_000)} µs`;
  if (ms < 1_000) return `${significant(ms)} ms`;
  return `${significant(ms / 1_000)} s`;
}

/** A whole number with thousands separated by commas, whatever the locale. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US', {
    maximumFractionDigits: count !== 0 && Math.abs(count) < 10 ? 2 : 0,
  });
}

/** Bytes in decimal units: `1.24 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${significant(value)} ${units[unit]}`;
}

function significant(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for HTML, SVG and XML, in content and in quoted attributes. Control characters, which XML forbids, are dropped. */
export function escapeMarkup(text: string): string {
  const allowed = text.replace(/\p{Cc}/gu, (char) => (char === '\n' || char === '\t' ? char : ''));
  return allowed.replace(/[&<>"']/g, (char) => entities[char] ?? '');
}
