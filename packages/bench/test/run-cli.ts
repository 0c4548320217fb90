import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const cli = join(import.meta.dirname, '../src/cli/main.ts');

/** How `weir-bench` ended. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of {@link runCli}. */
export interface RunCliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Words before the command line, e.g. `['taskset', '-c', '0']`. */
  readonly prefix?: readonly string[];
  readonly onStart?: (child: ChildProcess) => void;
}

/** Runs `weir-bench` from source to its end. */
export function runCli(args: readonly string[], options: RunCliOptions = {}): Promise<Finished> {
  const { env = {}, cwd = process.cwd(), prefix = [], onStart } = options;
  const [file = '', ...rest] = [...prefix, process.execPath, '--conditions=@weir/source', cli, ...args];
  const child = spawn(file, rest, { cwd, env: { ...process.env, ...env } });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  onStart?.(child);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...output })));
}
