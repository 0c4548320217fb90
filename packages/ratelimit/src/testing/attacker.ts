/**
 * Endless made-up IPv4 addresses, each used once or rarely: what a spoofing client does to a store that grows, or
 * that forgets a blocked key under pressure.
 */
export function* spoofedAddresses(random: () => number): Generator<string, never> {
  for (;;) {
    const bits = Math.floor(random() * 2 ** 32);
    yield `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
  }
}

/**
 * Arrival times, in ms from 0, of a client that wants the most out of one edge: one early unit, then as much as it can
 * just before the window's end, then steadily on. `total` arrivals in all.
 */
export function attackerTimes(windowMs: number, total: number, random: () => number): number[] {
  const burst = Math.floor(total / 4);
  const times = [0];
  for (let index = 0; index < burst; index++) times.push(windowMs - 1 - random());
  for (let index = burst + 1; index < total; index++) times.push(windowMs - 1 + random() * windowMs * 1.2);
  return times.sort((a, b) => a - b);
}
