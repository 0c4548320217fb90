import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const folder = join(import.meta.dirname, '../examples');
const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');

test('shows the first example and its very output in the README', async () => {
  const file = join(folder, 'read-through.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@weir/source', file]);
  expect(readme).toContain(readFileSync(file, 'utf8').trim());
  expect(readme).toContain(stdout.trim());
});

test.each(readdirSync(folder).filter((name) => name.endsWith('.ts')))(
  '%s runs and ends by itself',
  async (name) => {
    const run = promisify(execFile)(process.execPath, ['--conditions=@weir/source', join(folder, name)], {
      timeout: 20_000,
    });
    await expect(run).resolves.toMatchObject({ stderr: '' });
  },
);
