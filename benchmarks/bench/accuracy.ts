import { spread } from './spread.ts';
import { hasWrk, type Measured, measure, measureWrk, startServer } from './subjects.ts';

/*
 * A server that stalls by a script, so that the distribution of waits is known: of requests that are due evenly over T, those due in a
 * stall of length S wait uniformly from 0 to S, so P(wait > x) = Σ max(0, Sᵢ − x) / T. The longest of the quantiles' waits is far above what
 * an answer takes.
 */
const seconds = 12;
const rate = 500;
const warmupMs = 2_000;
const stalls: readonly (readonly [atMs: number, lengthMs: number])[] = [
  [1_000, 3_000],
  [5_000, 2_500],
  [9_000, 2_000],
];
const percents = ['p50', 'p90', 'p99'] as const;

/** The quantile of the script's distribution, by bisection. */
function exactMs(percent: number): number {
  const beyond = (x: number): number =>
    stalls.reduce((sum, [, lengthMs]) => sum + Math.max(0, lengthMs - x), 0) / (seconds * 1_000);
  let low = 0;
  let high = seconds * 1_000;
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (beyond(middle) > 1 - percent / 100) low = middle;
    else high = middle;
  }
  return low;
}

/** What each tool says of the stalls, beside what is true. */
export async function accuracy(rounds: number): Promise<object> {
  const exact = Object.fromEntries(
    percents.map((name) => [name, Math.round(exactMs(Number(name.slice(1))))]),
  );
  const load = { seconds, connections: 50 };
  const tools: readonly (readonly [string, number, (url: string) => Promise<Measured>])[] = [
    [
      '@weir/bench, open loop',
      warmupMs,
      (url) => measure('weir', url, { ...load, connections: 2_000, rate, warmupMs }),
    ],
    ['@weir/bench, closed loop', 0, (url) => measure('weir', url, load)],
    ['autocannon -R', 0, (url) => measure('autocannon', url, { ...load, rate })],
    ['autocannon, closed loop', 0, (url) => measure('autocannon', url, load)],
    ...(hasWrk() ? [['wrk, closed loop', 0, (url: string) => measureWrk(url, load)] as const] : []),
  ];
  const rows = new Map<string, Measured[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, afterMs, tool] of tools) {
      const script = stalls.map(([atMs, lengthMs]) => [atMs + afterMs, lengthMs]);
      const server = await startServer({ STALLS: JSON.stringify(script) });
      rows.set(name, [...(rows.get(name) ?? []), await tool(server.origin)]);
      await server.stop();
    }
  }
  const measured = Object.fromEntries(
    [...rows].map(([name, row]) => [
      name,
      Object.fromEntries(
        percents.map((percent) => [
          percent,
          spread(
            row.map((each) => each[percent]),
            2,
          ),
        ]),
      ),
    ]),
  );
  const off = Object.fromEntries(
    [...rows].map(([name, row]) => {
      const shares = percents.flatMap((percent) =>
        row.map((each) => Math.abs(each[percent] / (exact[percent] ?? 1) - 1)),
      );
      return [name, Number((Math.max(...shares) * 100).toFixed(1))];
    }),
  );
  console.log(
    `Stalls of 3, 2.5 and 2 s in ${seconds} s at ${rate}/s: medians in ms, and the worst error of any quantile`,
  );
  console.table({
    exact,
    ...Object.fromEntries(
      Object.entries(measured).map(([name, row]) => [
        name,
        {
          ...Object.fromEntries(Object.entries(row).map(([percent, { median }]) => [percent, median])),
          'off by %': off[name],
        },
      ]),
    ),
  });
  return { stalls, seconds, rate, exact, measured, offByPercentAtMost: off };
}
