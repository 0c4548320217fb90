import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort, run } from '@weir/test-kit';

const root = resolve(import.meta.dirname, '..');

export interface Workplace {
  readonly directory: string;
  readonly configPath: string;
  readonly serviceUrl: string;
  readonly shopUrl: string;
  readonly env: NodeJS.ProcessEnv;
  remove(): Promise<void>;
}

/** A directory with a configuration that scrapes every second, on free ports, and a benchmark of one second. */
export async function createWorkplace(): Promise<Workplace> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-start-'));
  // Else PostgreSQL, which root runs as someone else, keeps its data where nobody cleans up.
  await chmod(directory, 0o711);
  const [port, shopPort] = [await freePort(), await freePort()];
  const shopUrl = `http://127.0.0.1:${shopPort}`;
  const scenario = {
    name: 'short',
    target: shopUrl,
    requests: [{ path: '/products/1' }],
    rate: 50,
    durationMs: 1000,
    warmupMs: 0,
  };
  const config = {
    store: { path: 'state/data' },
    scrape: { interval: '1s', timeout: '1s' },
    targets: [{ job: 'shop', url: `${shopUrl}/metrics` }],
    benchmarks: [{ name: 'short', file: 'short.json' }],
  };
  await mkdir(join(directory, 'state'));
  await writeFile(join(directory, 'short.json'), JSON.stringify(scenario));
  await writeFile(join(directory, 'weir.config.json'), JSON.stringify(config));
  return {
    directory,
    configPath: join(directory, 'weir.config.json'),
    serviceUrl: `http://127.0.0.1:${port}`,
    shopUrl,
    env: {
      ...process.env,
      DATABASE_URL: '',
      REDIS_URL: '',
      PORT: String(port),
      SHOP_PORT: String(shopPort),
      WEIR_STATE: join(directory, 'state'),
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

export interface StartedSystem {
  readonly pid: number;
  /** Resolves with everything printed once the ready line is out; rejects when the command ends before. */
  readonly ready: Promise<string>;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Every process below the command now. */
  descendants(): Promise<number[]>;
}

/** Runs `scripts/start.ts` as `pnpm start` does, from source; `through` is a script that runs its arguments with Node. */
export function start(
  workplace: Pick<Workplace, 'env' | 'configPath'>,
  options: { through?: string } = {},
): StartedSystem {
  const command = [join(root, 'scripts/start.ts'), '--config', workplace.configPath];
  const child = spawn(
    process.execPath,
    [...(options.through === undefined ? [] : [options.through]), '--conditions=@weir/source', ...command],
    { env: workplace.env, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let [stdout, stderr] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  const ready = new Promise<string>((resolveReady, reject) => {
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
      if (stdout.includes('Weir is ready')) resolveReady(stdout);
    });
    void ended.then(() => reject(new Error(`ended before it was ready: ${stdout}${stderr}`)));
  });
  // A run that is meant to fail has nobody who waits for it to be ready.
  ready.catch(() => {});
  const pid = child.pid ?? -1;
  return { pid, ready, ended, descendants: () => descendantsOf(pid) };
}

async function descendantsOf(ancestor: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=']);
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found = new Set([ancestor]);
  // Parents may be listed after their children: repeat until nothing is added.
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    for (const [pid, parent] of pairs)
      if (parent !== undefined && pid !== undefined && found.has(parent)) found.add(pid);
  }
  found.delete(ancestor);
  return [...found];
}

/** Those of `pids` that still run; a zombie does not. */
export async function stillRunning(pids: readonly number[]): Promise<string[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,stat=,args=']);
  return stdout.split('\n').filter((line) => {
    const [pid, state] = line.trim().split(/\s+/);
    return pids.includes(Number(pid)) && !state?.startsWith('Z');
  });
}
