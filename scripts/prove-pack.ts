/**
 * `pnpm prove:pack`: packs every published package, installs its tarball alone in an empty project under Node 22 and
 * under Node 24, imports each of its exports and calls each of its commands. Needs the npm registry.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

type Manifest = {
  readonly name: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
};

const root = join(import.meta.dirname, '..');
const runtimes = ['22', '24'];
const work = mkdtempSync(join(tmpdir(), 'weir-pack-'));
let failed = 0;
let passed = 0;

function run(file: string, args: readonly string[], cwd: string): string {
  return execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function attempt(title: string, body: () => void): void {
  try {
    body();
    passed += 1;
    console.log(`ok     ${title}`);
  } catch (error) {
    failed += 1;
    const { stderr, message } = error as { stderr?: string; message: string };
    console.log(`FAILED ${title}\n${(stderr || message).trim().replace(/^/gm, '       ')}`);
  }
}

/** `name@range` of the optional peer that an import lacked, if it lacked one. */
function missingPeer(manifest: Manifest, stderr: string): string | undefined {
  const name = /Cannot find package '([^']+)'/.exec(stderr)?.[1] ?? '';
  if (manifest.peerDependenciesMeta?.[name]?.optional !== true) return undefined;
  return `${name}@${manifest.peerDependencies?.[name] ?? '*'}`;
}

try {
  const published = [
    ...readdirSync(join(root, 'packages')).map((name) => join('packages', name)),
    'dashboards',
  ];
  for (const path of published) {
    const source = join(root, path);
    const name = basename(path);
    const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Manifest;
    run('pnpm', ['pack', '--pack-destination', work], source);
    const tarball = readdirSync(work).find(
      (file) => file.startsWith(`weir-${name}-`) && file.endsWith('.tgz'),
    );
    if (tarball === undefined) throw new Error(`\`pnpm pack\` left no tarball of ${manifest.name}.`);

    for (const major of runtimes) {
      const project = join(work, `${name}-${major}`);
      mkdirSync(project);
      writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
      const title = `${manifest.name} on Node ${major}`;
      attempt(`${title}: installs`, () => {
        run('npm', ['install', '--no-audit', '--no-fund', join(work, tarball), `node@${major}`], project);
      });
      const node = join(project, 'node_modules/node/bin/node');
      for (const [subpath, target] of Object.entries(manifest.exports)) {
        const runtime = (target as { default?: unknown }).default;
        if (typeof target === 'string' || typeof runtime !== 'string' || !runtime.endsWith('.js')) continue;
        const specifier = manifest.name + subpath.slice(1);
        attempt(`${title}: import '${specifier}'`, () => {
          const script = `await import('${specifier}')`;
          // An adapter may need what it adapts to, peer by peer; the package itself may not.
          for (let peers = Object.keys(manifest.peerDependenciesMeta ?? {}).length; ; peers -= 1) {
            try {
              run(node, ['--input-type=module', '-e', script], project);
              return;
            } catch (error) {
              const peer = missingPeer(manifest, (error as { stderr?: string }).stderr ?? '');
              if (subpath === '.' || peer === undefined || peers === 0) throw error;
              run('npm', ['install', '--no-audit', '--no-fund', peer], project);
            }
          }
        });
      }
      for (const [command, file] of Object.entries(manifest.bin ?? {})) {
        attempt(`${title}: ${command} --help`, () => {
          run(node, [join(project, 'node_modules', manifest.name, file), '--help'], project);
        });
      }
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
