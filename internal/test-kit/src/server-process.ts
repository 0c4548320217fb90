import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { TestKitError } from './errors.ts';

export interface ServerProcessOptions {
  /** For messages. */
  name: string;
  command: string;
  args: readonly string[];
  /** Rejects or resolves with `false` while the server isn't ready; polled until it resolves with `true`. */
  isReady: () => Promise<boolean>;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  /** Asked for first by `stop`; SIGKILL follows after `stopTimeoutMs`. Default SIGTERM. */
  stopSignal?: NodeJS.Signals;
  stopTimeoutMs?: number;
  /** Sent when this process dies in whatever way, SIGKILL included. Default SIGKILL. */
  orphanSignal?: NodeJS.Signals;
  readyTimeoutMs?: number;
  /** Every chunk of output, stdout and stderr alike. */
  onOutput?: (chunk: string) => void;
}

export interface ServerProcess {
  readonly pid: number;
  /** Settles when the process has ended, however it did. */
  readonly exited: Promise<void>;
  /** Asks politely, insists after `stopTimeoutMs`, resolves when the process is gone. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** The last 4,000 characters of its output. */
  output(): string;
}

const live = new Map<ChildProcess, NodeJS.Signals>();
process.on('exit', () => {
  for (const [child, signal] of live) signalGroup(child.pid, signal);
});

/**
 * Starts a server and resolves once it is ready. The server doesn't keep this process alive, and it ends with it: a shell
 * that waits on a pipe from this process kills the server when the pipe closes, which happens even on SIGKILL. Processes that
 * the server started end with it.
 */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: options.env,
    uid: options.uid,
    gid: options.gid,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let failure: Error | undefined;
  let ended = false;
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      failure = error;
      ended = true;
      resolve();
    });
    child.once('exit', () => {
      ended = true;
      resolve();
    });
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      output = (output + chunk).slice(-4000);
      options.onOutput?.(chunk);
    });
    unref(stream);
  }
  child.unref();
  const orphanSignal = options.orphanSignal ?? 'SIGKILL';
  live.set(child, orphanSignal);
  const watcher = child.pid === undefined ? undefined : watchFrom(child.pid, orphanSignal);
  void exited.then(() => {
    live.delete(child);
    watcher?.kill('SIGKILL');
    // Processes that it started and left behind.
    signalGroup(child.pid, 'SIGKILL');
  });

  const handle: ServerProcess = {
    pid: child.pid ?? -1,
    exited,
    async stop() {
      if (!ended) child.kill(options.stopSignal ?? 'SIGTERM');
      const insist = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), options.stopTimeoutMs ?? 5000);
      child.ref();
      await exited;
      clearTimeout(insist);
    },
    async kill() {
      if (!ended) signalGroup(child.pid, 'SIGKILL');
      child.ref();
      await exited;
    },
    signal(signal) {
      child.kill(signal);
    },
    output: () => output,
  };

  const deadlineMs = Date.now() + (options.readyTimeoutMs ?? 30_000);
  while (true) {
    if (ended) {
      throw new TestKitError(
        'ERR_WEIR_TEST_KIT_SERVER_FAILED',
        options.name,
        lastLine(failure?.message ?? output),
      );
    }
    if (await options.isReady().catch(() => false)) return handle;
    if (Date.now() > deadlineMs) {
      await handle.kill();
      throw new TestKitError(
        'ERR_WEIR_TEST_KIT_SERVER_FAILED',
        options.name,
        `not ready in time. ${lastLine(output)}`,
      );
    }
    await delay(10);
  }
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1) ?? '';
}

/** The server leads a process group of its own; Windows knows none. */
function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch {
    // None of it is left.
  }
}

function watchFrom(pid: number, signal: NodeJS.Signals): ChildProcess | undefined {
  if (process.platform === 'win32') return undefined;
  const watcher = spawn('/bin/sh', ['-c', `read -r _; kill -${signal.slice(3)} -${pid}`], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watcher.on('error', () => {});
  watcher.unref();
  unref(watcher.stdin);
  return watcher;
}

/** Pipes of child processes are sockets; only those can be unref'd, and the types say streams. */
function unref(stream: object): void {
  if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
}

/** Runs a command to its end and hands back what it wrote. Rejects only when the command can't be started. */
export async function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; input?: string; env?: NodeJS.ProcessEnv; uid?: number; gid?: number } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { input, ...rest } = options;
  const child = spawn(command, args, { ...rest, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}
