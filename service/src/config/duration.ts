const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/** A duration as Prometheus writes it (`15s`, `1h30m`), largest unit first. Also the pattern in the JSON schema. */
export const durationPattern = '^(?=.)(\\d+y)?(\\d+w)?(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?(\\d+ms)?$';

/** Milliseconds; `undefined` when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!new RegExp(durationPattern).test(text)) return undefined;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+)(ms|[smhdwy])/g))
    total += Number(digits) * (units[unit as string] as number);
  return total;
}

const sizeUnits: Readonly<Record<string, number>> = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** A number of bytes: `512MB`, `10GB`. Also the pattern in the JSON schema. */
export const sizePattern = '^\\d+(B|KB|MB|GB|TB)$';

/** Bytes; `undefined` when the text is not a size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)(B|KB|MB|GB|TB)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (sizeUnits[match[2] as string] as number);
}
