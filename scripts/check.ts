/**
 * Everything short of the tests that a change must pass: types, lint, unused code, package shape, generated files.
 * Runs every step even after a failure, and ends with the line `N passed, N failed`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { type Manifest, type PackedPackage, packAll } from './pack.ts';
import { publishedPackages } from './published-packages.ts';

const root = join(import.meta.dirname, '..');

type Step = { readonly name: string; readonly run: () => Promise<string | undefined> };

/** Resolves with the command's output if it failed, else with `undefined`. */
function command(file: string, args: readonly string[], cwd = root): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd, env: { ...process.env, FORCE_COLOR: '0' } });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) => resolve(code === 0 ? undefined : Buffer.concat(chunks).toString()));
  });
}

/** Names the emitted declarations that hold an `any`: a user's type error would vanish in it. */
async function findAny(packageDir: string): Promise<string | undefined> {
  const dist = join(root, packageDir, 'dist');
  const files = (await readdir(dist, { recursive: true })).filter((file) => file.endsWith('.d.ts'));
  const found: string[] = [];
  for (const file of files) {
    const text = await readFile(join(dist, file), 'utf8');
    const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
    if (/(?:[:<,|&=[(]|=>)\s*any\b/.test(code)) found.push(join(packageDir, 'dist', file));
  }
  return found.length > 0 ? `\`any\` in emitted declarations:\n${found.join('\n')}` : undefined;
}

const steps: readonly Step[] = [
  { name: 'types: sources', run: () => command('tsc', ['--build']) },
  { name: 'CommonJS entries', run: () => command('node', ['scripts/build-commonjs.ts']) },
  { name: 'types: tests and scripts', run: () => command('tsc', ['-p', 'tsconfig.tests.json']) },
  { name: 'types: web page', run: () => command('tsc', ['-p', 'service/web/tsconfig.json', '--noEmit']) },
  { name: 'lint and format', run: () => command('biome', ['ci', '--colors=off', '.']) },
  { name: 'unused code', run: () => command('knip', ['--no-progress']) },
  {
    name: 'generated files',
    run: () => command('node', ['--conditions=@weir/source', 'scripts/generate.ts', '--check']),
  },
  { name: 'tarballs', run: async () => checkTarballs() },
  ...publishedPackages
    .map((path) => relative(root, path))
    .flatMap((dir): Step[] => [
      { name: `no any: ${dir}`, run: () => findAny(dir) },
      { name: `publint: ${dir}`, run: () => command('publint', ['--strict', dir]) },
      { name: `attw: ${dir}`, run: () => command('attw', ['--pack', dir]) },
    ]),
];

/** What a package's tarball must not hold, and what its manifest must not say. */
function findInTarball({ manifest: { name }, tarball }: PackedPackage): string[] {
  const tar = (...args: string[]): string => execFileSync('tar', args, { encoding: 'utf8' });
  const files = tar('tzf', tarball).trim().split('\n');
  const found = files
    .filter((file) => /\.tsbuildinfo$|\.test\.|\/(test|scripts)\//.test(file))
    .map((file) => `${name} packs ${file}`);
  const { dependencies = {} } = JSON.parse(tar('xzOf', tarball, 'package/package.json')) as Manifest;
  for (const [dependency, range] of Object.entries(dependencies))
    if (!range.startsWith('^')) found.push(`${name} depends on ${dependency} ${range}, not on a caret range`);
  return found;
}

function checkTarballs(): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'weir-check-'));
  try {
    const found = packAll(directory).flatMap(findInTarball);
    return found.length > 0 ? found.join('\n') : undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

let failed = 0;
for (const step of steps) {
  const failure = await step.run();
  console.log(`${failure === undefined ? 'ok    ' : 'FAILED'} ${step.name}`);
  if (failure === undefined) continue;
  failed += 1;
  console.log(failure.trimEnd().replace(/^/gm, '       '));
}
console.log(`${steps.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
