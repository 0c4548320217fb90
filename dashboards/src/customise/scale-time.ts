const unitsMs = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
} as const;

/** One PromQL duration times `scale`, to the millisecond and at least 1 ms; `0` units stay `0`. */
export function scaleDuration(text: string, scale: number): string {
  const match = /^(\d+)(ms|[smhdwy])$/.exec(text);
  if (match === null || scale === 1) return text;
  const ms = Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs];
  if (ms === 0) return text;
  const scaled = Math.max(1, Math.round(ms * scale));
  return scaled % 1000 === 0 ? `${scaled / 1000}s` : `${scaled}ms`;
}

/** An expression with every range, subquery step and offset times `scale`. Names of recorded series stay. */
export function scaleTime(expr: string, scale: number): string {
  if (scale === 1) return expr;
  return expr.replace(/(?<=\[|offset |:)\d+(?:ms|[smhdwy])(?=[\]: )]|$)/g, (text) =>
    scaleDuration(text, scale),
  );
}
