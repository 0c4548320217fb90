import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const main = join(import.meta.dirname, '../../src/main.ts');

export interface ServiceProcess {
  readonly url: string;
  readonly pid: number;
  readonly output: () => { stdout: string; stderr: string };
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function spawnService(directory: string, config: unknown, environment: Record<string, string>): ChildProcess {
  if (config !== undefined) {
    const text = typeof config === 'string' ? config : JSON.stringify(config);
    writeFileSync(join(directory, 'weir.config.json'), text);
  }
  const args = ['--conditions=@weir/source', main, '--config', join(directory, 'weir.config.json')];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...environment },
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

/** The real service as a process of its own; resolves when it says that it is ready. */
export async function startServiceProcess(
  directory: string,
  config: unknown,
  environment: Record<string, string> = { PORT: '0' },
): Promise<ServiceProcess> {
  const child = spawnService(directory, config, environment);
  let stdout = '';
  let stderr = '';
  child.stderr?.on('data', (part) => {
    stderr += part;
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', (part) => {
      stdout += part;
      const ready = /ready on (\S+)\n/.exec(stdout);
      if (ready !== null) resolve(ready[1] as string);
    });
    child.on('exit', (code) => reject(new Error(`the service ended with ${code}: ${stderr}`)));
  });
  const exited = once(child, 'exit');
  return {
    url,
    pid: child.pid as number,
    output: () => ({ stdout, stderr }),
    end: async (signal) => {
      child.kill(signal);
      const [code, by] = (await exited) as [number | null, NodeJS.Signals | null];
      return { code, signal: by };
    },
  };
}

/** Runs the service to its end, for configurations that it must refuse. */
export async function runServiceProcess(
  directory: string,
  config: unknown,
  environment: Record<string, string> = { PORT: '0' },
): Promise<Ended> {
  const child = spawnService(directory, config, environment);
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (part) => {
    output.stdout += part;
  });
  child.stderr?.on('data', (part) => {
    output.stderr += part;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

/** Asks until `check` accepts the answer; for states that a running service reaches by itself. */
export async function eventually<T>(ask: () => Promise<T>, check: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const answer = await ask();
    if (check(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(answer).slice(0, 500)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export async function getJson<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T;
}

/** The vector of an instant query as `[labels, value]`. */
export async function instant(
  service: { readonly url: string },
  query: string,
  timeMs?: number,
): Promise<[Record<string, string>, string][]> {
  const parameters = new URLSearchParams({
    query,
    ...(timeMs === undefined ? {} : { time: String(timeMs / 1000) }),
  });
  const answer = await getJson<{
    status: string;
    error?: string;
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  }>(`${service.url}/api/v1/query?${parameters}`);
  if (answer.status !== 'success') throw new Error(answer.error);
  return answer.data.result.map(({ metric, value }) => [metric, value[1]]);
}
