/** One generator in a process of its own: `generator.ts <tool> <json>` prints what it measured as JSON. */

import { Socket } from 'node:net';
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
  audit?: boolean;
};

// Loading the code is not part of a request.
const before = process.cpuUsage();

if (tool === 'weir') {
  const written = options.audit === true ? watchWrites() : undefined;
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
  report(result.requests.perSecond, result.requests.total, result.latencyMs, {
    arrivals: result.arrivals,
    ...(written === undefined ? {} : { writtenLate: countLate(written, options) }),
  });
} else {
  const result = await autocannon({
    url: options.url,
    duration: options.seconds,
    connections: options.connections,
    ...(options.rate === undefined ? {} : { overallRate: options.rate }),
  });
  const { p50, p90, p99 } = result.latency;
  report(result.requests.total / result.duration, result.requests.total, { p50, p90, p99 });
}

function report(
  perSecond: number,
  requests: number,
  latencyMs: { p50: number; p90: number; p99: number },
  more: object = {},
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
      ...more,
    }),
  );
}

/** When each request's bytes were handed to the kernel: a look at the generator that owes nothing to its own counting. */
function watchWrites(): number[] {
  const written: number[] = [];
  const { write } = Socket.prototype;
  Socket.prototype.write = function watched(this: Socket, ...args: Parameters<typeof write>): boolean {
    written.push(performance.now());
    return Reflect.apply(write, this, args) as boolean;
  } as typeof write;
  return written;
}

/** Requests of the measured time that were written over 1 ms after they were due; the most punctual one was due when it was written. */
function countLate(
  written: readonly number[],
  { rate = 0, warmupMs = 0, seconds }: { rate?: number; warmupMs?: number; seconds: number },
): number {
  const offsets = written.map((atMs, index) => atMs - (index * 1_000) / rate);
  const beginMs = Math.min(...offsets.slice((warmupMs / 1_000) * rate));
  const measured = offsets.slice((warmupMs / 1_000) * rate, (warmupMs / 1_000 + seconds) * rate);
  return measured.filter((offset) => offset - beginMs > 1).length;
}
