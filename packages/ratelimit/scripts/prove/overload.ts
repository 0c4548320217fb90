import { type ChildProcess, fork } from 'node:child_process';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const capacity = 10 / 0.0205;
const timeoutMs = 500;

interface Phase {
  readonly good: number;
  readonly critical: number;
  readonly refused: number;
  readonly p99Ms: number;
}

/** Open-loop load at a share of capacity, then a step to three times slower and back; prints goodput ÷ capacity. */
export async function proveOverload(): Promise<boolean> {
  console.log('\noverload: 10 workers of 20 ms, callers give up after 500 ms, 10 % critical, 6 s a phase');
  let held = true;
  for (const guard of ['vegas', 'gradient2', 'nothing', 'under-pressure']) {
    const { child, port } = await start(guard);
    try {
      const line: string[] = [];
      for (const load of [0.5, 0.7, 1.2, 2, 3]) {
        const phase = await fire(port, load, 6000);
        line.push(shown(`${load}×`, phase));
        if (guard === 'vegas' || guard === 'gradient2') {
          held &&= load < 1 ? phase.refused < 0.02 : phase.good > 0.85 && phase.critical > 0.95;
        }
      }
      await post(port, '/slow/60');
      line.push(shown('1.2× while 3× slower', await fire(port, 1.2, 6000)));
      await post(port, '/slow/20');
      const settle = await fire(port, 1.2, 2000);
      line.push(shown('1.2×, 0–2 s after', settle), shown('1.2×, later', await fire(port, 1.2, 4000)));
      console.log(`  ${guard}\n    ${line.join('\n    ')}`);
    } finally {
      child.kill('SIGKILL');
    }
  }
  return held;
}

function shown(name: string, { good, critical, refused, p99Ms }: Phase): string {
  return `${name.padEnd(22)} goodput ÷ capacity ${good.toFixed(2)}, critical ok ${critical.toFixed(3)}, refused ${refused.toFixed(3)}, p99 of served ${p99Ms.toFixed(0)} ms`;
}

async function start(guard: string): Promise<{ child: ChildProcess; port: number }> {
  // The peer is a dependency of the benchmarks only.
  const peers = createRequire(join(import.meta.dirname, '../../../../benchmarks/package.json'));
  const child = fork(
    join(import.meta.dirname, '../overload-process.ts'),
    [guard, peers.resolve('@fastify/under-pressure')],
    { execArgv: ['--conditions=@weir/source'] },
  );
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(message as number));
    child.once('exit', () => reject(new Error('The server ended.')));
  });
  return { child, port };
}

/** Poisson arrivals at `load` × capacity for `durationMs`; every arrival is a fresh request, whatever came of others. */
async function fire(port: number, load: number, durationMs: number): Promise<Phase> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2000 });
  const ended: Promise<void>[] = [];
  const latencies: number[] = [];
  const counts = { sent: 0, good: 0, refused: 0, critical: 0, criticalGood: 0 };
  const started = performance.now();
  let nextMs = 0;
  while (performance.now() - started < durationMs) {
    while (nextMs <= performance.now() - started) {
      nextMs += (-Math.log(1 - Math.random()) * 1000) / (load * capacity);
      ended.push(one());
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await Promise.all(ended);
  agent.destroy();
  latencies.sort((a, b) => a - b);
  return {
    good: counts.good / ((durationMs / 1000) * capacity),
    critical: counts.criticalGood / counts.critical,
    refused: counts.refused / counts.sent,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
  };

  function one(): Promise<void> {
    const critical = Math.random() < 0.1;
    const sentMs = performance.now();
    counts.sent++;
    if (critical) counts.critical++;
    return new Promise((resolve) => {
      const headers = critical ? { 'x-tier': 'critical' } : {};
      const sent = request({ port, host: '127.0.0.1', agent, headers, timeout: timeoutMs }, (answer) => {
        answer.resume().once('end', () => {
          const elapsedMs = performance.now() - sentMs;
          if (answer.statusCode === 503) counts.refused++;
          else {
            latencies.push(elapsedMs);
            if (elapsedMs <= timeoutMs) {
              counts.good++;
              if (critical) counts.criticalGood++;
            }
          }
          resolve();
        });
      });
      // The caller gives up; the server, as servers do, works on.
      sent.once('timeout', () => sent.destroy());
      sent.once('error', () => {
        latencies.push(performance.now() - sentMs);
        resolve();
      });
      sent.end();
    });
  }
}

function post(port: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path, method: 'POST' }, (answer) =>
      answer.resume().once('end', resolve),
    )
      .once('error', reject)
      .end();
  });
}
