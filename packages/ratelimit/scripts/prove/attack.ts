import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { createRateLimiter } from '@weir/ratelimit';
import { spoofedAddresses } from '@weir/ratelimit/testing';
import { seededRandom } from '@weir/test-kit';
import { type Proof, rounded } from './report.ts';

/** Ten million spoofed keys against one used-up and one blocked key, in bounded memory. */
export async function proveAttack(keys = 10_000_000): Promise<Proof> {
  const maxBytes = 64 * 2 ** 20;
  const policies = [{ name: 'p', algorithm: 'gcra', limit: 5, windowMs: 3_600_000 }] as const;
  const limiter = createRateLimiter({ name: 'attack', policies, memory: { maxKeys: 1_000_000, maxBytes } });
  await limiter.consume('victim', { cost: 5 });
  await limiter.block('blocked', 3_600_000);
  const addresses = spoofedAddresses(seededRandom(1));
  const before = process.memoryUsage().arrayBuffers;
  let longestGcMs = 0;
  const collections = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestGcMs = Math.max(longestGcMs, duration);
  });
  collections.observe({ entryTypes: ['gc'] });
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  let extra = 0;
  let peak = 0;
  let longestMs = 0;
  for (let sent = 0; sent < keys; sent += 1000) {
    for (let index = 0; index < 1000; index++) {
      const key = addresses.next().value;
      const started = performance.now();
      void limiter.consume(key);
      longestMs = Math.max(longestMs, performance.now() - started);
    }
    const probes = await Promise.all([limiter.consume('victim'), limiter.consume('blocked')]);
    extra += probes.filter(({ allowed }) => allowed).length;
    peak = Math.max(peak, process.memoryUsage.rss());
    await setImmediate();
  }
  delay.disable();
  collections.disconnect();
  const tableMb = (process.memoryUsage().arrayBuffers - before) / 2 ** 20;
  const figures = {
    spoofedKeys: keys,
    keysHeld: limiter.stats().keys,
    extraAdmissions: extra,
    tableMiB: rounded(tableMb),
    tableMiBAllowed: maxBytes / 2 ** 20,
    peakRssMiB: Math.round(peak / 2 ** 20),
    longestDecisionMs: rounded(longestMs),
    longestGarbageCollectionMs: rounded(longestGcMs),
    worstLoopDelayMs: rounded(delay.max / 1e6),
  };
  console.log(`\nattack: ${keys.toLocaleString('en')} spoofed keys, one used-up and one blocked key`);
  for (const [name, value] of Object.entries(figures).slice(1)) console.log(`  ${name.padEnd(28)} ${value}`);
  return { held: extra === 0 && tableMb <= maxBytes / 2 ** 20, figures };
}
