import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get as httpGet } from 'node:http';
import { connect as connectTcp, createServer } from 'node:net';
import { extname } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { StartError, TargetPortTakenError } from '../errors.ts';
import type { StartSpec } from '../scenario/scenario.ts';
import { connectTarget, hostOf, portOf, type TlsTrust } from '../scenario/target.ts';
import { pinned } from './cpu.ts';
import { guardGroup, killGroup, lastLine, stopGroup } from './process-group.ts';

/** A started server that is ready for load. */
export interface StartedTarget {
  readonly origin: string;
  readonly pid: number;
  /** How it ended, with its last line of output: `exited with code 1; its last words: Error: no database`. Pending while it runs. */
  readonly ended: Promise<string>;
  /** True once it has ended, shortly before `ended` resolves. */
  hasEnded(): boolean;
  /** Sends a signal to it and all its children. */
  signal(name: NodeJS.Signals): void;
  /** Ends it and all its children: SIGTERM, after two seconds SIGKILL. */
  stop(): Promise<void>;
}

/** Options of {@link startTarget}. */
export interface StartTargetOptions {
  readonly start: StartSpec;
  /** Directory in which the command runs; `start.cwd` is relative to it. */
  readonly directory: string;
  /** The variable `PORT` of the command. */
  readonly port: number;
  /** Origin of the readiness probe. @defaultValue `http://127.0.0.1:<port>` */
  readonly origin?: string;
  /** For an origin of `https:`. */
  readonly trust?: TlsTrust | undefined;
  readonly cpu?: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** Modules that every Node process of the command imports before its own code, by NODE_OPTIONS. */
  readonly hooks?: readonly URL[];
  readonly signal?: AbortSignal | undefined;
}

const pollMs = 20;
const probeMs = 2_000;
const lastWordsMs = 200;
const tailLength = 4_000;

/** A hook that makes two processes of one build more alike, for servers that are compared. */
export const steadyHook: URL = new URL(`./steady-hook${extname(import.meta.url)}`, import.meta.url);

/**
 * Runs a start command in a process group of its own and waits until the server answers. Another server that already listens at the origin
 * is an error, since it would be measured instead.
 *
 * @throws {@link TargetPortTakenError} when something listens already
 * @throws {@link StartError} when the command ends before it answers, or does not answer in time; no process is left running
 */
export async function startTarget(options: StartTargetOptions): Promise<StartedTarget> {
  const { start, directory, port, cpu, env, hooks = [], signal, trust } = options;
  const { origin = `http://127.0.0.1:${port}` } = options;
  signal?.throwIfAborted();
  if (await listens(new URL(origin))) throw new TargetPortTakenError(start.command, origin);
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
  const end = watchEnd(child);
  const stop = async (): Promise<void> => {
    await stopGroup(child);
    watch?.kill('SIGKILL');
  };
  const ready = new URL(start.ready, origin);
  const deadline = Date.now() + start.readyTimeoutMs;
  try {
    for (;;) {
      const refusal = await askReady(ready, trust);
      signal?.throwIfAborted();
      if (end.hasEnded()) throw new StartError(start.command, await end.how, undefined);
      if (refusal === undefined) break;
      if (Date.now() > deadline) {
        const reason = `did not answer on port ${port} within ${start.readyTimeoutMs} ms (${refusal})`;
        throw new StartError(start.command, reason, end.lastLine());
      }
      await delay(pollMs);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const pid = child.pid ?? 0;
  return {
    origin,
    pid,
    ended: end.how,
    hasEnded: end.hasEnded,
    signal: (name) => killGroup(pid, name),
    stop,
  };
}

interface EndWatch {
  readonly how: Promise<string>;
  readonly hasEnded: () => boolean;
  readonly lastLine: () => string | undefined;
}

/** Keeps the last output of a command, and records how it ended. */
function watchEnd(child: ChildProcessByStdio<null, Readable, Readable>): EndWatch {
  let tail = '';
  const keep = (chunk: Buffer): void => {
    tail = (tail + chunk.toString()).slice(-tailLength);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  let ended = false;
  const { promise: how, resolve } = Promise.withResolvers<string>();
  child.once('error', (error) => {
    ended = true;
    resolve(error.message);
  });
  child.once('exit', (code, by) => {
    ended = true;
    const reason = by === null ? `exited with code ${code}` : `was ended by ${by}`;
    const tell = (): void => {
      clearTimeout(timer);
      const line = lastLine(tail);
      resolve(line === undefined ? reason : `${reason}; its last words: ${line.trim()}`);
    };
    // Its last output may still be in the pipe, and a child may keep the pipe open.
    const timer = setTimeout(tell, lastWordsMs);
    child.once('close', tell);
  });
  return { how, hasEnded: () => ended, lastLine: () => lastLine(tail) };
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

/** Whether something accepts connections there. */
function listens(origin: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: hostOf(origin), port: portOf(origin) });
    const settle = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.setTimeout(probeMs, () => settle(false));
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

/** @returns why the server is not ready, or `undefined` when it is */
function askReady(url: URL, trust: TlsTrust | undefined): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = httpGet({
      host: url.host,
      path: `${url.pathname}${url.search}`,
      headers: { host: url.host, connection: 'close' },
      createConnection: () => connectTarget(url, trust),
      signal: AbortSignal.timeout(probeMs),
    });
    request.once('response', ({ statusCode = 0 }) => {
      request.destroy();
      resolve(statusCode < 500 ? undefined : `status ${statusCode}`);
    });
    request.once('error', (error: NodeJS.ErrnoException) =>
      resolve(
        error.name === 'AbortError' || error.name === 'TimeoutError'
          ? 'no answer'
          : (error.code ?? error.message),
      ),
    );
  });
}
