import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

/** Which rooms of the package and which packages of others an entry loads in a fresh process. */
async function loadedBy(entry: string): Promise<string[]> {
  const script = `
    import { registerHooks } from 'node:module';
    const urls = [];
    registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
    await import('${entry}');
    process.stdout.write(JSON.stringify(urls));`;
  const args = ['--conditions=@weir/source', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  const parts = (JSON.parse(stdout) as string[])
    .filter((url) => url.startsWith('file:'))
    .map((url) => /packages\/bench\/src\/(\w+)\//.exec(url)?.[1] ?? /.*node_modules\/([^/]+)/.exec(url)?.[1]);
  return [...new Set(parts)].filter((part) => part !== undefined).sort();
}

test.each<[string, readonly string[], readonly string[]]>([
  ['@weir/bench/stats', ['stats'], ['autocannon', 'zod', 'hdr-histogram-js', 'tinybench', 'load']],
  [
    '@weir/bench/load',
    ['load', 'scenario'],
    ['compare', 'stats', 'profile', 'report', 'history', 'tinybench'],
  ],
  ['@weir/bench/compare', ['compare', 'stats'], ['autocannon', 'profile', 'report', 'history', 'tinybench']],
])('importing %s loads its own rooms and not the rest', async (entry, needed, left) => {
  const loaded = await loadedBy(entry);
  expect(loaded).toEqual(expect.arrayContaining([...needed]));
  expect(loaded.filter((part) => left.includes(part))).toEqual([]);
});
