/**
 * `pnpm prove:types`: installs the packed packages in one project and compiles an import of every entry with every supported
 * TypeScript, in every module mode that it has, from ES modules and from CommonJS. Then it loads every entry both ways and
 * compares: `require` and `import` must give the same instance. Needs the npm registry.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Manifest, packAll } from './pack.ts';

const typescripts = ['5.4', '5.5', '5.7', '5.8', '5.9', '6.0', '7.0'];
/** `from` and `to` bound the TypeScript versions in which the mode exists. */
const modes = [
  { module: 'commonjs', resolution: 'node10', type: 'commonjs', from: 5.4, to: 5.9 },
  { module: 'commonjs', resolution: 'bundler', type: 'commonjs', from: 6, to: 7 },
  { module: 'node16', resolution: 'node16', type: 'commonjs', from: 5.4, to: 7 },
  { module: 'node16', resolution: 'node16', type: 'module', from: 5.4, to: 7 },
  { module: 'nodenext', resolution: 'nodenext', type: 'commonjs', from: 5.4, to: 7 },
  { module: 'nodenext', resolution: 'nodenext', type: 'module', from: 5.4, to: 7 },
  { module: 'esnext', resolution: 'bundler', type: 'module', from: 5.4, to: 7 },
] as const;

const work = mkdtempSync(join(tmpdir(), 'weir-types-'));
let failed = 0;
let passed = 0;

function attempt(title: string, file: string, args: readonly string[], cwd: string): void {
  try {
    execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    passed += 1;
    console.log(`ok     ${title}`);
  } catch (error) {
    failed += 1;
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    console.log(`FAILED ${title}\n${`${stdout ?? ''}${stderr ?? ''}`.trim().replace(/^/gm, '       ')}`);
  }
}

const peersOf = ({ peerDependencies = {} }: Manifest): string[] =>
  Object.entries(peerDependencies).map(([name, range]) => `${name}@${range}`);

try {
  const packages = packAll(work);
  const project = join(work, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  const aliases = typescripts.map((version) => `typescript-${version}@npm:typescript@~${version}.0`);
  const types = ['@types/node@24', '@types/express@5', '@types/koa@3', '@types/pg@8'];
  const peers = [...new Set(packages.flatMap(({ manifest }) => peersOf(manifest)))];
  const tarballs = packages.map(({ tarball }) => tarball);
  execFileSync('npm', ['install', '--no-audit', '--no-fund', ...tarballs, ...aliases, ...types, ...peers], {
    cwd: project,
    stdio: ['ignore', 'ignore', 'inherit'],
  });

  const specifiers = packages.flatMap((one) => one.specifiers);
  // An entry that acts when it is imported has no exports to name.
  const source = specifiers
    .map(
      (specifier, index) =>
        `import * as entry${index} from '${specifier}';\nexport const use${index} = entry${index};\n`,
    )
    .join('');
  for (const version of typescripts) {
    for (const { from, module, resolution, to, type } of modes) {
      if (Number(version) < from || Number(version) > to) continue;
      const consumer = join(project, `${version}-${module}-${resolution}-${type}`);
      mkdirSync(consumer);
      writeFileSync(join(consumer, 'package.json'), JSON.stringify({ private: true, type }));
      writeFileSync(join(consumer, 'index.ts'), source);
      const compilerOptions = {
        ...{ module, moduleResolution: resolution, target: 'es2022', lib: ['es2023'], types: ['node'] },
        // `skipLibCheck`, as nearly every project has it: some peers' own declarations fail without it.
        ...{ strict: true, noEmit: true, skipLibCheck: true, esModuleInterop: true },
      };
      writeFileSync(
        join(consumer, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, files: ['index.ts'] }),
      );
      attempt(
        `TypeScript ${version}, module ${module}, resolution ${resolution}, from ${type}`,
        process.execPath,
        [join(project, 'node_modules', `typescript-${version}`, 'bin/tsc'), '-p', consumer],
        consumer,
      );
    }
  }

  for (const specifier of specifiers.filter((name) => !name.endsWith('/register'))) {
    const script =
      `const required = require('${specifier}');` +
      `import('${specifier}').then((imported) => { for (const name of Object.keys(required)) ` +
      `if (required[name] !== imported[name]) { console.error(name); process.exit(1); } process.exit(0); });`;
    attempt(`one instance of ${specifier}`, process.execPath, ['-e', script], project);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
