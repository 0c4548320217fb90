import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const scenario = "{ name: 'x', target: 'http://127.0.0.1:1', requests: [{ path: '/' }] }";
const module = `import 'node:fs';\nexport default ${scenario};\n`;
const loads = /^loaded x$/;

// As `npm init` writes it, as it should be, and a folder without any.
const commonJs = '{"type":"commonjs"}';
const esm = '{"type":"module"}';

const files: [string, string | undefined, string, string, RegExp][] = [
  [
    'commonjs',
    commonJs,
    'shop.ts',
    module,
    /rename it to `shop\.mts`, or set `"type": "module"` in .*package\.json\.$/,
  ],
  ['commonjs', commonJs, 'shop.js', module, /rename it to `shop\.mjs`, or set `"type": "module"`/],
  [
    'commonjs',
    commonJs,
    'deep/shop.ts',
    module,
    /rename it to `shop\.mts`, or set `"type": "module"` in .*commonjs\/package\.json\.$/,
  ],
  ['commonjs', commonJs, 'only.ts', `export default ${scenario};\n`, /rename it to `only\.mts`/],
  ['commonjs', commonJs, 'shop.cts', module, /rename it to `shop\.mts`\.$/],
  ['commonjs', commonJs, 'shop.mts', module, loads],
  ['commonjs', commonJs, 'shop.cjs', `module.exports = ${scenario};\n`, loads],
  ['module', esm, 'shop.ts', module, loads],
  ['none', undefined, 'shop.ts', module, loads],
  ['module', esm, 'broken.ts', 'export default {;\n', /broken\.ts: cannot be imported: /],
];

let directory: string;
/** What became of each, in a process of its own: the test runner imports by other rules than Node. */
let said: string[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-import-'));
  const places = files.map(([name, , file]) => join(directory, name, file));
  for (const [index, [name, manifest, , text]] of files.entries()) {
    const place = places[index] ?? '';
    await mkdir(dirname(place), { recursive: true });
    if (manifest !== undefined) await writeFile(join(directory, name, 'package.json'), manifest);
    await writeFile(place, text);
  }
  const script = `
    import { loadScenario } from ${JSON.stringify(join(import.meta.dirname, '../src/scenario/scenario.ts'))};
    const said = [];
    for (const place of ${JSON.stringify(places)})
      said.push(await loadScenario(place).then(({ name }) => 'loaded ' + name, ({ message }) => message));
    console.log(JSON.stringify(said));`;
  const node = ['--conditions=@weir/source', '--input-type=module', '-e', script];
  said = JSON.parse(
    execFileSync(process.execPath, node, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  );
});
afterAll(() => rm(directory, { recursive: true }));

test.each(files.map(([name, , file, , message], index) => [file, name, message, index] as const))(
  'the scenario %s in a package of type %s loads, or the message names the repair: %s',
  (_file, _name, message, index) => {
    expect(said[index]).toMatch(message);
  },
);
