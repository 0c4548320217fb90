import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findServer, freePort, type ServerProcess, startServerProcess } from '@weir/test-kit';

export interface MeasuredServer {
  readonly name: 'weir' | 'prometheus';
  readonly url: string;
  readonly process: ServerProcess;
}

export interface ServerOptions {
  readonly directory: string;
  /** `host:port` of targets of the job `fleet`. */
  readonly targets: readonly string[];
  readonly intervalMs: number;
}

const main = join(import.meta.dirname, '../../service/dist/main.js');

/** The built service on the data in `<directory>/weir`. */
export async function startWeir({ directory, targets, intervalMs }: ServerOptions): Promise<MeasuredServer> {
  const port = await freePort();
  const config = join(directory, 'weir.config.json');
  writeFileSync(
    config,
    JSON.stringify({
      store: { path: 'weir', retention: '30d' },
      scrape: { interval: `${intervalMs}ms` },
      targets: targets.map((address) => ({ job: 'fleet', url: `http://${address}/metrics` })),
    }),
  );
  const url = `http://127.0.0.1:${port}`;
  const process = await startServerProcess({
    name: 'weir',
    command: globalThis.process.execPath,
    args: [main, '--config', config],
    env: { ...globalThis.process.env, PORT: String(port) },
    isReady: async () => (await fetch(`${url}/readyz`)).ok,
    readyTimeoutMs: 60_000,
  });
  return { name: 'weir', url, process };
}

/** Prometheus on the data in `<directory>/prometheus`. */
export async function startPeer({ directory, targets, intervalMs }: ServerOptions): Promise<MeasuredServer> {
  const port = await freePort();
  const config = join(directory, 'prometheus.yml');
  mkdirSync(join(directory, 'prometheus'), { recursive: true });
  const interval = `${intervalMs}ms`;
  writeFileSync(
    config,
    JSON.stringify({
      global: { scrape_interval: interval, scrape_timeout: interval },
      scrape_configs: [{ job_name: 'fleet', static_configs: [{ targets }] }],
    }),
  );
  const [command] = findServer('prometheus') ?? [];
  if (command === undefined) throw new Error('Install prometheus to measure against it.');
  const url = `http://127.0.0.1:${port}`;
  const process = await startServerProcess({
    name: 'prometheus',
    command,
    args: [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(directory, 'prometheus')}`,
      '--storage.tsdb.retention.time=30d',
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    isReady: async () => (await fetch(`${url}/-/ready`)).ok,
    readyTimeoutMs: 60_000,
  });
  return { name: 'prometheus', url, process };
}

/** CPU seconds that a process and its threads have used. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  // utime and stime in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident bytes of a process: now and at its peak. */
export function residentBytes(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024;
  return { now: read('VmRSS'), peak: read('VmHWM') };
}
