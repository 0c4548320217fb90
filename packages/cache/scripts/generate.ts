import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../src/redis/lua');

/** Embeds `src/redis/lua/*.lua` with the SHA-1 that EVALSHA wants, so that the package reads no file at run time. */
export async function generate(): Promise<Map<string, string>> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.lua')).sort();
  const scripts: string[] = [];
  for (const file of files) {
    const source = await readFile(join(folder, file), 'utf8');
    const sha1 = createHash('sha1').update(source).digest('hex');
    scripts.push(
      `export const ${file.slice(0, -4)}Script: LuaScript = {\n  name: ${JSON.stringify(file.slice(0, -4))},\n  sha1: ${JSON.stringify(sha1)},\n  source: ${JSON.stringify(source)},\n};\n`,
    );
  }
  const content = `// Generated from lua/*.lua by \`pnpm generate\`. Do not edit.\nimport type { LuaScript } from '@weir/redis';\n\n${scripts.join('\n')}`;
  return new Map([['packages/cache/src/redis/lua.gen.ts', content]]);
}
