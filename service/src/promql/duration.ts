const pattern = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const unitsMs = [31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1] as const;

// The range of Go's time.Duration, which Prometheus computes with.
const maxMs = 2 ** 63 / 1e6;

/** `1h30m` in milliseconds; `undefined` when the text is no duration, `'range'` when it is longer than 292 years. */
export function parseDuration(text: string): number | 'range' | undefined {
  if (text === '0') return 0;
  const match = text === '' ? null : pattern.exec(text);
  if (match === null) return undefined;
  let total = 0;
  for (const [index, unit] of unitsMs.entries()) total += Number(match[index + 1] ?? 0) * unit;
  return total > maxMs ? 'range' : total;
}

/** The shortest text that `parseDuration` reads back, as Prometheus writes it. Rounds to milliseconds. */
export function formatDuration(durationMs: number): string {
  let rest = Math.round(Math.abs(durationMs));
  if (rest === 0) return '0s';
  let text = durationMs < 0 ? '-' : '';
  const take = (unit: string, unitMs: number, exactOnly: boolean): void => {
    if (exactOnly && rest % unitMs !== 0) return;
    const count = Math.floor(rest / unitMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs;
  };
  take('y', 31_536_000_000, true);
  take('w', 604_800_000, true);
  take('d', 86_400_000, false);
  take('h', 3_600_000, false);
  take('m', 60_000, false);
  take('s', 1_000, false);
  take('ms', 1, false);
  return text;
}
