import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { ArmError, BenchError, OptionError } from '../errors.ts';
import { git } from '../process/git.ts';
import { guardWorktree, runSetup } from '../process/process-group.ts';
import type { StartSpec } from '../scenario/scenario.ts';
import type { Arm } from './measure-pair.ts';

/** An arm and the worktree that was created for it, if any. */
export interface PreparedArm extends Arm {
  /** Removes the worktree, if one was created. */
  dispose(): Promise<void>;
}

/** Options of {@link prepareArm}. */
export interface PrepareArmOptions {
  /** A directory, a commit of the repository around `directory`, or a command; tried in this order. */
  readonly source: string;
  /** Paths are relative to it, and commands run in it. */
  readonly directory: string;
  /** The scenario's; its command is replaced when `source` is a command. */
  readonly start: StartSpec | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Turns `--base` or `--head` into an arm that can be started. A commit is checked out into a worktree outside of the repository, where the
 * scenario's `setup` runs. Without a `setup` the worktree uses the packages installed in the working directory; a commit with
 * other dependencies is refused.
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

/** Why a source cannot be used, and the repair. Git cannot tell a commit that was never fetched from a misspelt one. */
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
    // In case the first command failed or was interrupted.
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

/** A checkout that uses the packages installed in the working directory. */
interface Checkout {
  /** As the user named it. */
  readonly source: string;
  readonly commit: string;
  /** Top directory of the repository. */
  readonly root: string;
  readonly worktree: string;
}

/**
 * Lets a checkout use the packages that are installed in the working directory. Each `node_modules` of the checkout consists of links: to
 * installed packages in the working directory, and to the repository's own packages (workspaces) in the checkout. A link to the whole
 * `node_modules` would run the workspaces of the working directory.
 *
 * The checkout must have the same dependencies as the working directory.
 *
 * @throws {@link ArmError} when it asks for others
 */
async function borrowModules(checkout: Checkout): Promise<void> {
  const { root, worktree } = checkout;
  const manifests = (await git(worktree, ['ls-files', '-z', '--', ':(glob)**/package.json'])).split('\0');
  const places = [...new Set(['.', ...manifests.filter(Boolean).map((file) => dirname(file))])].filter(
    (place) => existsSync(join(root, place, 'node_modules')),
  );
  if (places.length === 0) return;
  await assertSameDependencies(checkout);
  for (const place of places) {
    const modules = join(worktree, place, 'node_modules');
    // A repository may have its modules committed.
    if (existsSync(modules)) continue;
    await linkEntries(join(root, place, 'node_modules'), modules, checkout);
  }
}

async function linkEntries(from: string, to: string, checkout: Checkout): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, link] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory() && (entry.name.startsWith('@') || entry.name === '.bin')) {
      await linkEntries(source, link, checkout);
      continue;
    }
    const target = await findTarget(source, checkout);
    if (target !== undefined) await symlink(target, link);
  }
}

/** @returns `undefined` for a broken link, here or in the checkout, such as one to a package that the commit does not have yet */
async function findTarget(source: string, { root, worktree }: Checkout): Promise<string | undefined> {
  const real = await realpath(source).catch(() => undefined);
  if (real === undefined) return undefined;
  const parts = relative(await realpath(root), real).split(sep);
  if (parts[0] === '..' || parts.includes('node_modules')) return real;
  const own = join(worktree, ...parts);
  return existsSync(own) ? own : undefined;
}

const lockfiles = [
  'package-lock.json',
  'npm-shrinkwrap.json',
  'pnpm-lock.yaml',
  'yarn.lock',
  'bun.lock',
  'bun.lockb',
];
const dependencyFields = ['dependencies', 'optionalDependencies', 'peerDependencies', 'devDependencies'];

async function assertSameDependencies({ source, commit, root, worktree }: Checkout): Promise<void> {
  const changed = async (...names: string[]): Promise<string[]> => {
    const patterns = names.map((name) => `:(glob)**/${name}`);
    const text = await git(root, ['diff', '--name-only', '--no-renames', '-z', commit, '--', ...patterns]);
    return text.split('\0').filter(Boolean);
  };
  const refuse = (file: string): never => {
    throw new ArmError(
      `\`${source}\` has other dependencies than the working directory, whose node_modules it would use: ${file} differs. Let it install its own: add \`"setup": "npm ci"\` to the scenario's \`start\`.`,
    );
  };
  const [lockfile] = await changed(...lockfiles);
  if (lockfile !== undefined) refuse(lockfile);
  for (const file of await changed('package.json')) {
    const [own, installed] = await Promise.all([
      readDependencies(join(worktree, file)),
      readDependencies(join(root, file)),
    ]);
    // Additional installed packages are harmless.
    if ([...own].some(([name, range]) => installed.get(name) !== range)) refuse(file);
  }
}

async function readDependencies(file: string): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  const text = await readFile(file, 'utf8').catch(() => '{}');
  const manifest = parse(text);
  for (const field of dependencyFields) {
    for (const [name, range] of Object.entries(manifest[field] ?? {})) found.set(name, range);
  }
  return found;
}

function parse(text: string): Record<string, object> {
  try {
    return JSON.parse(text) as Record<string, object>;
  } catch {
    return {};
  }
}
