/**
 * `pnpm prove:pack`: packs every published package, installs its tarball alone in an empty project under Node 22 and
 * under Node 24, imports each of its exports and calls each of its commands. Needs the npm registry.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Manifest, packAll } from './pack.ts';

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
  for (const { install, manifest, specifiers } of packAll(work)) {
    const name = manifest.name.replace('@weir/', '');
    for (const major of runtimes) {
      const project = join(work, `${name}-on-${major}`);
      mkdirSync(project);
      writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
      const title = `${manifest.name} on Node ${major}`;
      attempt(`${title}: installs`, () => {
        run('npm', ['install', '--no-audit', '--no-fund', ...install, `node@${major}`], project);
      });
      const node = join(project, 'node_modules/node/bin/node');
      for (const specifier of specifiers) {
        attempt(`${title}: import '${specifier}'`, () => {
          const script = `await import('${specifier}')`;
          // An adapter may need what it adapts to, peer by peer; the package itself may not.
          for (let peers = Object.keys(manifest.peerDependenciesMeta ?? {}).length; ; peers -= 1) {
            try {
              run(node, ['--input-type=module', '-e', script], project);
              return;
            } catch (error) {
              const peer = missingPeer(manifest, (error as { stderr?: string }).stderr ?? '');
              if (specifier === manifest.name || peer === undefined || peers === 0) throw error;
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
