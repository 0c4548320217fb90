/** One generator in a process of its own: `generator.ts <tool> <json>` prints what it measured as JSON. */
import { runBenchmark, type Scenario } from '@weir/bench';
import autocannon from 'autocannon';

const [tool, text = '{}'] = process.argv.slice(2);
const options = JSON.parse(text) as {
  url: string;
  seconds: number;
  connections: number;
  rate?: number;
  workers?: number;
  warmupMs?: number;
};

// Loading the code is not part of a request.
const before = process.cpuUsage();

if (tool === 'weir') {
  const scenario: Scenario = {
    name: 'peer',
    target: options.url,
    requests: [{ path: '/' }],
    // An open loop's first second is spent compiling itself; a warm-up is part of how it is used.
    warmupMs: options.warmupMs ?? 0,
    durationMs: options.seconds * 1_000,
    connections: options.connections,
    ...(options.rate === undefined ? {} : { rate: options.rate, workers: options.workers ?? 1 }),
  };
  const result = await runBenchmark(scenario);
  report(result.requests.perSecond, result.requests.total, result.latencyMs, result.arrivals);
} else {
  const result = await autocannon({
    url: options.url,
    duration: options.seconds,
    connections: options.connections,
    ...(options.rate === undefined ? {} : { overallRate: options.rate }),
  });
  const { p50, p90, p99 } = result.latency;
  report(result.requests.total / result.duration, result.requests.total, { p50, p90, p99 }, undefined);
}

function report(
  perSecond: number,
  requests: number,
  latencyMs: { p50: number; p90: number; p99: number },
  arrivals: unknown,
): void {
  const { user, system } = process.cpuUsage(before);
  const { p50, p90, p99 } = latencyMs;
  console.log(
    JSON.stringify({
      perSecond,
      requests,
      cpuUs: (user + system) / Math.max(requests, 1),
      p50,
      p90,
      p99,
      arrivals,
    }),
  );
}
