import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ArmError, BenchError } from '../errors.ts';
import { runSetup } from '../process/run-setup.ts';
import type { StartSpec } from '../scenario.ts';
import type { Arm } from './measure-pair.ts';

const run = promisify(execFile);

/** An arm with what was made for it. */
export interface PreparedArm extends Arm {
  /** Removes the worktree, if one was made. */
  dispose(): Promise<void>;
}

/** Options of {@link prepareArm}. */
export interface PrepareArmOptions {
  /** A directory, a commit of the repository around `directory`, or a command. Tried in this order. */
  readonly source: string;
  /** Where paths begin and commands run. */
  readonly directory: string;
  /** The scenario's; its command is replaced when `source` is a command. */
  readonly start: StartSpec | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Turns `--base` or `--head` into something that can be started. A commit is checked out into a worktree of its own outside of the
 * repository; then the scenario's `setup` runs there. Without a `setup` the worktree borrows the repository's `node_modules`.
 *
 * @throws {@link ArmError} or {@link StartError}
 */
export async function prepareArm(options: PrepareArmOptions): Promise<PreparedArm> {
  const { source, directory, start } = options;
  const path = resolve(directory, source);
  if (existsSync(path) && statSync(path).isDirectory()) {
    return { directory: path, start: needStart(start), label: source, dispose: async () => {} };
  }
  const commit = await resolveCommit(source, directory);
  if (commit !== undefined) return checkOut(commit, { ...options, start: needStart(start) });
  if (!/\s/.test(source)) {
    throw new ArmError(
      `\`${source}\` is neither a directory nor a commit, and a command has arguments. Check the spelling.`,
    );
  }
  const defaults = { ready: '/', readyTimeoutMs: 30_000 };
  return {
    directory,
    start: { ...defaults, ...start, command: source },
    label: source,
    dispose: async () => {},
  };
}

function needStart(start: StartSpec | undefined): StartSpec {
  if (start !== undefined) return start;
  throw new ArmError(
    'The scenario has no `start`. Add `"start": { "command": "node server.js" }`, so that both builds can be started.',
  );
}

async function resolveCommit(ref: string, directory: string): Promise<string | undefined> {
  if (ref.startsWith('-')) return undefined;
  const args = ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`];
  return run('git', args, { cwd: directory }).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
}

async function checkOut(
  commit: string,
  options: PrepareArmOptions & { readonly start: StartSpec },
): Promise<PreparedArm> {
  const { source, directory, start, signal } = options;
  const { stdout } = await run('git', ['rev-parse', '--show-toplevel'], { cwd: directory });
  const { stdout: prefix } = await run('git', ['rev-parse', '--show-prefix'], { cwd: directory });
  const root = stdout.trim();
  const worktree = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  const dispose = async (): Promise<void> => {
    await run('git', ['worktree', 'remove', '--force', worktree], { cwd: root }).catch(() => undefined);
    await rm(worktree, { recursive: true, force: true });
  };
  try {
    await run('git', ['worktree', 'add', '--detach', worktree, commit], { cwd: root });
    const place = join(worktree, prefix.trim());
    if (!existsSync(place)) throw new ArmError(`\`${source}\` has no directory \`${prefix.trim()}\`.`);
    if (start.setup !== undefined) await runSetup(start.setup, place, signal);
    else await borrowModules(root, worktree);
    return { directory: place, start, label: `${source} (${commit.slice(0, 10)})`, dispose };
  } catch (cause) {
    await dispose();
    if (cause instanceof BenchError || signal?.aborted === true) throw cause;
    throw new ArmError(`Cannot check out \`${source}\`: ${(cause as Error).message.split('\n', 1)[0]}`, {
      cause,
    });
  }
}

async function borrowModules(root: string, worktree: string): Promise<void> {
  const modules = join(root, 'node_modules');
  if (existsSync(modules)) await symlink(modules, join(worktree, 'node_modules')).catch(() => undefined);
}
