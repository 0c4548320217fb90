import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ArmError, BenchError, OptionError } from '../errors.ts';
import { git } from '../process/git.ts';
import { guardWorktree } from '../process/process-group.ts';
import { runSetup } from '../process/run-setup.ts';
import type { StartSpec } from '../scenario.ts';
import { borrowModules } from './borrow-modules.ts';
import type { Arm } from './measure-pair.ts';

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
 * repository; then the scenario's `setup` runs there. Without a `setup` the worktree borrows what is installed in the working directory,
 * and is refused when it needs other dependencies.
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
    throw new ArmError(await explainUnknown(source, directory));
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
  return (await git(directory, args, { mayFail: true }))?.trim();
}

/** Why a source is none, and what to do. A commit that was never fetched is as unknown to git as a misspelt one. */
async function explainUnknown(source: string, directory: string): Promise<string> {
  const what = `\`${source}\` is neither a directory nor a commit, and a command has arguments`;
  const shallow = await git(directory, ['rev-parse', '--is-shallow-repository'], { mayFail: true });
  if (shallow === undefined) return `${what}; ${directory} is in no git repository. Check the spelling.`;
  if (shallow.trim() === 'true') {
    return `${what}. The clone is shallow and lacks older commits: fetch them with \`git fetch --unshallow\` (in GitHub Actions \`fetch-depth: 0\`), or check the spelling.`;
  }
  return `${what}. Check the spelling, or fetch it with \`git fetch\`.`;
}

async function checkOut(
  commit: string,
  options: PrepareArmOptions & { readonly start: StartSpec },
): Promise<PreparedArm> {
  const { source, directory, start, signal } = options;
  const root = (await git(directory, ['rev-parse', '--show-toplevel'])).trim();
  const prefix = (await git(directory, ['rev-parse', '--show-prefix'])).trim();
  const worktree = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  const guard = guardWorktree(root, worktree);
  const dispose = async (): Promise<void> => {
    await git(root, ['worktree', 'remove', '--force', worktree], { mayFail: true });
    await rm(worktree, { recursive: true, force: true });
    // Where the first command failed or was interrupted.
    await git(root, ['worktree', 'prune'], { mayFail: true });
    guard.kill('SIGKILL');
  };
  try {
    await git(root, ['worktree', 'add', '--detach', worktree, commit]);
    const place = join(worktree, prefix);
    if (!existsSync(place)) throw new ArmError(`\`${source}\` has no directory \`${prefix}\`.`);
    if (start.setup !== undefined) await runSetup(start.setup, place, signal);
    else await borrowModules({ source, commit, root, worktree });
    return { directory: place, start, label: `${source} (${commit.slice(0, 10)})`, dispose };
  } catch (cause) {
    await dispose();
    if (signal?.aborted === true) signal.throwIfAborted();
    if (cause instanceof BenchError && !(cause instanceof OptionError)) throw cause;
    throw new ArmError(`Cannot check out \`${source}\`: ${(cause as Error).message.split('\n', 1)[0]}`, {
      cause,
    });
  }
}
