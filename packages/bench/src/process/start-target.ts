import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { extname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StartError } from '../errors.ts';
import type { StartSpec } from '../scenario.ts';
import { pinned } from './cpu-pinning.ts';
import { guardGroup, killGroup, stopGroup } from './process-group.ts';

/** A server that we started, ready for load. */
export interface StartedTarget {
  readonly origin: string;
  readonly pid: number;
  /** How it ended, e.g. `exited with code 1`. */
  readonly ended: Promise<string>;
  /** Sends a signal to it and everything it started. */
  signal(name: NodeJS.Signals): void;
  /** Ends it and everything it started: SIGTERM, after two seconds SIGKILL. */
  stop(): Promise<void>;
}

/** Options of {@link startTarget}. */
export interface StartTargetOptions {
  readonly start: StartSpec;
  /** Directory in which the command runs; `start.cwd` is relative to it. */
  readonly directory: string;
  /** Handed to the command as `PORT`. */
  readonly port: number;
  readonly cpu?: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** Modules loaded into every Node process of the command before its own code, added to NODE_OPTIONS. */
  readonly hooks?: readonly URL[];
  readonly signal?: AbortSignal | undefined;
}

const pollMs = 20;
const tailLength = 4_000;

/** Makes two processes of one build alike; for servers that are compared. */
export const steadyHook: URL = new URL(`./steady-hook${extname(import.meta.url)}`, import.meta.url);

/**
 * Runs a start command in a process group of its own and waits until it answers.
 *
 * @throws {@link StartError} when it ends before, or does not answer in time; nothing is left running then
 */
export async function startTarget(options: StartTargetOptions): Promise<StartedTarget> {
  const { start, directory, port, cpu, env, hooks = [], signal } = options;
  const given = { ...process.env, ...start.env, ...env };
  const nodeOptions = [given.NODE_OPTIONS, ...hooks.map(({ href }) => `--import=${href}`)];
  const [file, ...args] = pinned(['sh', '-c', start.command], cpu);
  const child = spawn(file, args, {
    cwd: start.cwd === undefined ? directory : `${directory}/${start.cwd}`,
    env: { ...given, PORT: String(port), NODE_OPTIONS: nodeOptions.filter(Boolean).join(' ') },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const watch = child.pid === undefined ? undefined : guardGroup(child.pid);
  let tail = '';
  const keep = (chunk: Buffer): void => {
    tail = (tail + chunk.toString()).slice(-tailLength);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  let ended: string | undefined;
  const { promise: end, resolve: tellEnd } = Promise.withResolvers<string>();
  child.once('error', (error) => {
    ended = error.message;
    tellEnd(ended);
  });
  child.once('exit', (code, by) => {
    ended = by === null ? `exited with code ${code}` : `was ended by ${by}`;
    tellEnd(ended);
  });
  const stop = async (): Promise<void> => {
    await stopGroup(child);
    watch?.kill('SIGKILL');
  };
  const origin = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + start.readyTimeoutMs;
  try {
    while (!(await answers(`${origin}${start.ready}`))) {
      signal?.throwIfAborted();
      if (ended !== undefined) throw new StartError(start.command, ended, lastLine(tail));
      if (Date.now() > deadline) {
        throw new StartError(
          start.command,
          `did not answer on port ${port} within ${start.readyTimeoutMs} ms`,
          lastLine(tail),
        );
      }
      await delay(pollMs);
    }
    if (ended !== undefined) throw new StartError(start.command, ended, lastLine(tail));
  } catch (error) {
    await stop();
    throw error;
  }
  const pid = child.pid ?? 0;
  return { origin, pid, ended: end, signal: (name) => killGroup(pid, name), stop };
}

/** A port of loopback that was free a moment ago. */
export async function reservePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.status < 500;
  } catch {
    return false;
  }
}

/** What a command said last, an error before anything else. */
export function lastLine(text: string): string | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /^\w*Error\b.*:/.test(line)) ?? lines.at(-1);
}
