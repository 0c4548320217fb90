/**
 * Embeds the Lua sources of `src/lua` as TypeScript, because a published package should not read files at start, and
 * draws the pictures of docs by running the algorithms.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { algorithms } from '../src/algorithms/index.ts';
import { type Policy, worstBurst } from '../src/policy.ts';
import { drawAlgorithm } from './draw-algorithm.ts';

const directory = join(import.meta.dirname, '../src/lua');
const parts = [
  'clock',
  'algorithms',
  'gcra',
  'fixed-window',
  'sliding-counter',
  'sliding-log',
  'token-bucket',
  'record',
  'decide',
  'decide-gcra',
  'adjust',
];

/** The generated files by path from the repository's root. */
export async function generate(): Promise<Map<string, string>> {
  const lines = [
    '// Generated from src/lua by scripts/generate.ts. Edit the .lua files and run `pnpm generate`.',
    '',
  ];
  for (const part of parts) {
    const source = await readFile(join(directory, `${part}.lua`), 'utf8');
    // Comments stay in the sources: Redis keeps every script in memory and compiles it after each flush.
    const code = source.replaceAll(/^\s*--.*\n/gm, '').replaceAll(/^\s+/gm, '');
    lines.push(
      `export const ${part.replace(/-(.)/g, (_, letter) => letter.toUpperCase())}Lua: string = ${JSON.stringify(code)};`,
    );
  }
  const files = new Map([['packages/ratelimit/src/lua/scripts.gen.ts', `${lines.join('\n')}\n`]]);
  for (const algorithm of Object.keys(algorithms) as Policy['algorithm'][]) {
    const policy: Policy = { name: 'p', algorithm, limit: 100, windowMs: 10_000 };
    files.set(`packages/ratelimit/docs/${algorithm}.svg`, drawAlgorithm(policy, worstBurst(policy)));
  }
  return files;
}
