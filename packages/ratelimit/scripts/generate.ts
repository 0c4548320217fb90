/**
 * Embeds the Lua sources of `src` as TypeScript, because a published package should not read files at start, and
 * draws the pictures of docs by running the algorithms.
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { algorithms, type Policy, worstBurst } from '../src/policies/policy.ts';
import { drawAlgorithm } from './draw-algorithm.ts';

const folder = join(import.meta.dirname, '../src');
const parts = [
  'stores/clock',
  'algorithms/algorithm',
  'algorithms/gcra',
  'algorithms/fixed-window',
  'algorithms/sliding-counter',
  'algorithms/sliding-log',
  'algorithms/token-bucket',
  'stores/record',
  'stores/decide',
  'stores/decide-gcra',
  'stores/adjust',
];

/** The generated files by path from the repository's root. */
export async function generate(): Promise<Map<string, string>> {
  const lines = [
    '// Generated from src/**/*.lua by scripts/generate.ts. Edit the .lua files and run `pnpm generate`.',
    '',
  ];
  const sources = new Map<string, string>();
  const fragments = new Map<string, string>();
  for (const part of parts) {
    const source = await readFile(join(folder, `${part}.lua`), 'utf8');
    const rest = source.replaceAll(/^--@fragment (\w+)\n([\s\S]*?)^--@end\n/gm, (_, name, body) => {
      fragments.set(name, body);
      return '';
    });
    sources.set(basename(part), rest);
  }
  for (const [part, source] of sources) {
    // Comments stay in the sources: Redis keeps every script in memory and compiles it after each flush.
    const code = expand(source, fragments)
      .replaceAll(/^\s*--.*\n/gm, '')
      .replaceAll(/^\s+/gm, '');
    const name = part.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
    lines.push(`export const ${name}Lua: string = ${JSON.stringify(code)};`);
  }
  const files = new Map([['packages/ratelimit/src/stores/scripts.gen.ts', `${lines.join('\n')}\n`]]);
  for (const algorithm of Object.keys(algorithms) as Policy['algorithm'][]) {
    const policy: Policy = { name: 'p', algorithm, limit: 100, windowMs: 10_000 };
    files.set(`packages/ratelimit/docs/${algorithm}.svg`, drawAlgorithm(policy, worstBurst(policy)));
  }
  return files;
}

/** A source with every fragment in the place of the `--@use` that names it. */
function expand(source: string, fragments: ReadonlyMap<string, string>): string {
  return source.replaceAll(/^ *--@use (\w+)\n/gm, (_, name) => {
    const body = fragments.get(name);
    if (body === undefined) throw new Error(`No Lua fragment is named ${name}.`);
    return expand(body, fragments);
  });
}
