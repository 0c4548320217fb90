/**
 * Lets CommonJS use the published packages, in TypeScript too: every entry gets a `.cjs` that requires the ES module (Node loads
 * it, so there is one instance), and `dist/cjs` a copy of the declarations that TypeScript reads as CommonJS. Runs after `tsc --build`.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { publishedPackages } from './published-packages.ts';

interface Entry {
  readonly import?: { readonly default: string };
  readonly require?: { readonly types: string; readonly default: string };
}

for (const directory of publishedPackages) {
  const { exports } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
    exports: Record<string, Entry | string>;
  };
  const dist = join(directory, 'dist');
  const target = join(dist, 'cjs');
  rmSync(target, { recursive: true, force: true });
  for (const path of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.d.ts')) continue;
    mkdirSync(dirname(join(target, path)), { recursive: true });
    // The copy has no map: its sources lie elsewhere.
    const declarations = readFileSync(join(dist, path), 'utf8').replace(
      /\n\/\/# sourceMappingURL=.*\s*$/,
      '\n',
    );
    writeFileSync(join(target, path), declarations);
  }
  writeFileSync(join(target, 'package.json'), '{ "type": "commonjs" }\n');
  for (const entry of Object.values(exports)) {
    if (typeof entry === 'string' || entry.import === undefined || entry.require === undefined) continue;
    const file = join(directory, entry.require.default);
    const module = relative(dirname(file), join(directory, entry.import.default));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `module.exports = require('${module}');\n`);
  }
}
