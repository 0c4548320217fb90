import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { prepareArm } from '../../src/index.ts';

let top: string;
let root: string;
beforeEach(async () => {
  top = await realpath(await mkdtemp(join(tmpdir(), 'weir-arm-')));
  root = join(top, 'repository');
  await mkdir(root);
  git('init', '-q');
});
afterEach(() => rm(top, { recursive: true }));

function git(...args: string[]): string {
  const who = ['-c', 'user.name=Weir', '-c', 'user.email=weir@localhost'];
  return execFileSync('git', [...who, ...args], { cwd: root, encoding: 'utf8' });
}

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

async function commit(files: Readonly<Record<string, string>>): Promise<void> {
  await write(files);
  git('add', '.');
  git('commit', '-qm', 'x');
}

/** A link as package managers make it: relative, from a place below the repository's top. */
async function link(place: string, target: string): Promise<void> {
  await mkdir(dirname(join(root, place)), { recursive: true });
  await symlink(target, join(root, place));
}

const start = { command: 'node server.js', ready: '/', readyTimeoutMs: 1_000 };
const prepare = (source: string) => prepareArm({ source, directory: root, start });

/** What a program of an arm prints. */
const run = (directory: string, file: string): string =>
  execFileSync(process.execPath, [file], { cwd: directory, encoding: 'utf8' }).trim();

const manifest = (name: string, more: object = {}): string =>
  JSON.stringify({ name, type: 'module', exports: './index.js', ...more });
const own = (which: string) =>
  `import { installed } from 'installed';\nexport const which = '${which}, ' + installed;\n`;
const installed = {
  'package.json': manifest('installed'),
  'index.js': "export const installed = 'installed';\n",
};

/** Where each package manager puts the packages of the repository, and those that it installs. */
const layouts: [string, string, () => Promise<void>][] = [
  [
    'npm',
    '@acme/lib',
    async () => {
      await link('node_modules/@acme/lib', '../../packages/lib');
      await link('node_modules/@acme/app', '../../packages/app');
      for (const [name, text] of Object.entries(installed))
        await write({ [`node_modules/installed/${name}`]: text });
    },
  ],
  [
    'npm, without a scope',
    'lib',
    async () => {
      await link('node_modules/lib', '../packages/lib');
      for (const [name, text] of Object.entries(installed))
        await write({ [`node_modules/installed/${name}`]: text });
    },
  ],
  [
    'pnpm',
    '@acme/lib',
    async () => {
      await link('packages/app/node_modules/@acme/lib', '../../../lib');
      const store = 'node_modules/.pnpm/installed@1.0.0/node_modules/installed';
      for (const [name, text] of Object.entries(installed)) await write({ [`${store}/${name}`]: text });
      await link('packages/lib/node_modules/installed', `../../../${store}`);
    },
  ],
  [
    'an absolute link',
    '@acme/lib',
    async () => {
      await link('node_modules/@acme/lib', join(root, 'packages/lib'));
      for (const [name, text] of Object.entries(installed))
        await write({ [`node_modules/installed/${name}`]: text });
    },
  ],
];

test.each(layouts)(
  'with the node_modules of %s a commit runs the packages of the repository as they were, and those that are installed',
  async (_name, library, install) => {
    await commit({
      '.gitignore': 'node_modules\n',
      'package.json': '{ "private": true }',
      'packages/lib/package.json': manifest(library),
      'packages/lib/index.js': own('first'),
      'packages/app/package.json': manifest('@acme/app'),
      'packages/app/main.js': `import { which } from '${library}';\nconsole.log(which);\n`,
    });
    git('tag', 'first');
    await commit({ 'packages/lib/index.js': own('second') });
    git('tag', 'second');
    await commit({
      'packages/new/package.json': manifest('@acme/new'),
      'packages/lib/index.js': own('third'),
    });
    await install();
    await link('node_modules/@acme/new', '../../packages/new');
    for (const source of ['first', 'second', 'HEAD', '.']) {
      const arm = await prepare(source);
      const which = source === 'HEAD' || source === '.' ? 'third' : source;
      expect(run(arm.directory, 'packages/app/main.js')).toBe(`${which}, installed`);
      await arm.dispose();
      expect(existsSync(arm.directory)).toBe(source === '.');
    }
    expect(run(root, 'packages/app/main.js')).toBe('third, installed');
  },
);

const dependencies = (range: string): string => JSON.stringify({ dependencies: { installed: range } });

test.each<[string, Record<string, string>, Record<string, string>, string | undefined]>([
  ['the same', { 'package.json': dependencies('1.0.0') }, {}, undefined],
  [
    'another version',
    { 'package.json': dependencies('1.0.0') },
    { 'package.json': dependencies('2.0.0') },
    'package.json',
  ],
  ['one less', { 'package.json': dependencies('1.0.0') }, { 'package.json': '{}' }, 'package.json'],
  // Further packages that are installed do no harm.
  ['one more', { 'package.json': '{}' }, { 'package.json': dependencies('1.0.0') }, undefined],
  [
    'a new script',
    { 'package.json': dependencies('1.0.0') },
    { 'package.json': dependencies('1.0.0').replace('{', '{"scripts":{"a":"b"},') },
    undefined,
  ],
  [
    'another version in a package',
    { 'package.json': '{}', 'packages/lib/package.json': dependencies('1.0.0') },
    { 'packages/lib/package.json': dependencies('1.1.0') },
    'packages/lib/package.json',
  ],
  ...['package-lock.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock'].map(
    (name): [string, Record<string, string>, Record<string, string>, string] => [
      `another ${name}`,
      { [name]: 'one', 'package.json': '{}' },
      { [name]: 'two' },
      name,
    ],
  ),
  [
    'a lockfile in a folder',
    { 'apps/a/package-lock.json': 'one' },
    { 'apps/a/package-lock.json': 'two' },
    'apps/a/package-lock.json',
  ],
])(
  'a commit that is to use what is installed, where the working directory asks for %s',
  async (_name, first, then, differs) => {
    await commit({ '.gitignore': 'node_modules\n', ...first });
    git('tag', 'first');
    await commit({ 'other.txt': 'x', ...then });
    await write({ 'node_modules/installed/package.json': '{}' });
    if (differs === undefined) {
      await (await prepare('first')).dispose();
      return;
    }
    await expect(prepare('first')).rejects.toMatchObject({
      code: 'ERR_WEIR_BENCH_ARM',
      message: expect.stringMatching(new RegExp(`: ${differs} differs\\. .*"setup": "npm ci"`)),
    });
    expect(git('worktree', 'list').trim().split('\n')).toHaveLength(1);
    // With a set-up of its own it may ask for anything.
    const arm = await prepareArm({ source: 'first', directory: root, start: { ...start, setup: 'true' } });
    await arm.dispose();
  },
);

test.each<[string, string, RegExp]>([
  ['HEAD~1', '--depth=1', /shallow.*`git fetch --unshallow` .*`fetch-depth: 0`/],
  ['HEAD~7', '--depth=2', /shallow/],
  ['v9.9', '--depth=1', /shallow/],
  ['HEAD~9', '', /Check the spelling, or fetch it with `git fetch`/],
  ['v9.9', '', /Check the spelling, or fetch it/],
])('of %s in a clone %s that lacks it the message names the repair', async (source, depth, message) => {
  for (const text of ['1', '2', '3']) await commit({ 'a.txt': text });
  const clone = join(top, 'clone');
  git('clone', '-q', ...(depth === '' ? [] : [depth]), `file://${root}`, clone);
  await expect(prepareArm({ source, directory: clone, start })).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_ARM',
    message: expect.stringMatching(message),
  });
});

test('outside of a repository the message says so', async () => {
  await expect(prepareArm({ source: 'HEAD', directory: top, start })).rejects.toMatchObject({
    message: expect.stringContaining(`${top} is in no git repository`),
  });
});

test('a process that is killed outright leaves no worktree', async () => {
  await commit({ 'a.txt': '1' });
  const script = `
    import { prepareArm } from ${JSON.stringify(join(import.meta.dirname, '../../src/index.ts'))};
    await prepareArm(${JSON.stringify({ source: 'HEAD', directory: root, start })});
    process.stdout.write('made');
    setInterval(() => {}, 1_000);`;
  const child = spawn(process.execPath, ['--conditions=@weir/source', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: top },
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  expect(git('worktree', 'list').trim().split('\n')).toHaveLength(2);
  child.kill('SIGKILL');
  await expect.poll(() => readdir(top), { timeout: 10_000 }).toEqual(['repository']);
  await expect.poll(() => git('worktree', 'list').trim().split('\n'), { timeout: 10_000 }).toHaveLength(1);
});
