/**
 * Writes every generated file of the repository, or with `--check` names those that are not up to date.
 * A part generates by exporting `generate(): Promise<Map<path from the root, content>>` from `<part>/scripts/generate.ts`.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const parts = [
  'packages/cache',
  'packages/ratelimit',
  'packages/metrics',
  'packages/bench',
  'service',
  'dashboards',
];
const check = process.argv.includes('--check');

const stale: string[] = [];
for (const part of parts) {
  const script = join(root, part, 'scripts/generate.ts');
  if (!existsSync(script)) continue;
  const { generate } = (await import(script)) as { generate: () => Promise<Map<string, string>> };
  for (const [path, content] of await generate()) {
    const file = join(root, path);
    const current = existsSync(file) ? await readFile(file, 'utf8') : undefined;
    if (current === content) continue;
    stale.push(path);
    if (check) continue;
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    console.log(`wrote ${path}`);
  }
}
if (check && stale.length > 0) {
  console.error(`Not up to date: ${stale.join(', ')}. Run \`pnpm generate\` and commit the result.`);
  process.exitCode = 1;
}
