import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, realpath, symlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { ArmError } from '../errors.ts';
import { git } from '../process/git.ts';

/** A checkout that is to use what is installed in the working directory. */
export interface Checkout {
  /** As the user named it. */
  readonly source: string;
  readonly commit: string;
  /** Top directory of the repository. */
  readonly root: string;
  readonly worktree: string;
}

/**
 * Lets a checkout use the packages that are installed in the working directory, instead of installing its own. Every `node_modules` of a
 * package is made anew out of links: to installed packages where they are, to packages of the repository itself (workspaces) as they
 * stand in the checkout. A link to the whole of `node_modules` would run the working directory's.
 *
 * Installed packages are those of the working directory, so the checkout must ask for the same ones.
 *
 * @throws {@link ArmError} when it asks for others
 */
export async function borrowModules(checkout: Checkout): Promise<void> {
  const { root, worktree } = checkout;
  const manifests = (await git(worktree, ['ls-files', '-z', '--', ':(glob)**/package.json'])).split('\0');
  const places = [...new Set(['.', ...manifests.filter(Boolean).map((file) => dirname(file))])].filter(
    (place) => existsSync(join(root, place, 'node_modules')),
  );
  if (places.length === 0) return;
  await assertSameDependencies(checkout);
  for (const place of places) {
    const modules = join(worktree, place, 'node_modules');
    // A repository may hold its modules itself.
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

/** @returns `undefined` for a link that leads nowhere, here or in the checkout: a package that the commit does not have yet */
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
    // Further packages that are installed do no harm.
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
