import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type StartedTarget, startTarget } from '@weir/bench';
import { freePort } from '@weir/test-kit';

const run = promisify(execFile);
const generator = join(import.meta.dirname, 'generator.ts');
const server = join(import.meta.dirname, 'server.ts');

/** What one generator measured in one round. */
export interface Measured {
  readonly perSecond: number;
  readonly requests: number;
  /** The generator's own processor time a request; absent for wrk. */
  readonly cpuUs?: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly arrivals?: {
    readonly intended: number;
    readonly late: number;
    readonly latestMs: number;
    readonly dropped: number;
  };
  /** Of @weir/bench: requests of the measured time whose bytes were handed to the kernel over 1 ms after they were due. */
  readonly writtenLate?: number;
}

/** How a generator is asked to load. */
export interface Load {
  readonly seconds: number;
  readonly connections: number;
  readonly rate?: number;
  /** Of @weir/bench; autocannon has none. */
  readonly warmupMs?: number;
  /** Of @weir/bench: also count late requests from outside. */
  readonly audit?: boolean;
}

/** Starts the scripted server on the first processor. */
export async function startServer(env: Readonly<Record<string, string>> = {}): Promise<StartedTarget> {
  const start = {
    command: `exec "${process.execPath}" "${server}"`,
    ready: '/report',
    readyTimeoutMs: 10_000,
  };
  return startTarget({ start, directory: import.meta.dirname, port: await freePort(), cpu: 0, env });
}

/** @weir/bench or autocannon in a process of its own on the second processor. */
export async function measure(tool: 'weir' | 'autocannon', url: string, load: Load): Promise<Measured> {
  const args = [
    '-c',
    '1',
    process.execPath,
    '--conditions=@weir/source',
    generator,
    tool,
    JSON.stringify({ url, ...load }),
  ];
  const { stdout } = await run('taskset', args);
  return JSON.parse(stdout) as Measured;
}

/** Whether wrk is on the path. */
export function hasWrk(): boolean {
  return spawnSync('wrk', ['-v']).error === undefined;
}

/** wrk, one thread, on the second processor. */
export async function measureWrk(url: string, load: Load): Promise<Measured> {
  const args = [
    '-c',
    '1',
    'sh',
    '-c',
    `wrk -t1 -c${load.connections} -d${load.seconds}s --latency ${url}/; times`,
  ];
  const { stdout } = await run('taskset', args);
  const latency = (percent: string): number => {
    const [, value = '0', unit = 'ms'] =
      new RegExp(`\\s${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(stdout) ?? [];
    return Number(value) * { us: 0.001, ms: 1, s: 1_000 }[unit as 'us' | 'ms' | 's'];
  };
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0);
  const [, user = '0', userS = '0', system = '0', systemS = '0'] =
    /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/.exec(stdout) ?? [];
  const cpuS = Number(user) * 60 + Number(userS) + Number(system) * 60 + Number(systemS);
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? 0),
    requests,
    cpuUs: (cpuS * 1e6) / Math.max(requests, 1),
    p50: latency('50'),
    p90: latency('90'),
    p99: latency('99'),
  };
}
