import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startRedis } from '@weir/test-kit';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

test('shows the example and its very output in the README', async () => {
  const redis = await startRedis();
  try {
    const file = join(root, 'examples/script.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@weir/source', file], {
      env: { ...process.env, REDIS_URL: redis.url },
      timeout: 20_000,
    });
    expect(readme).toContain(readFileSync(file, 'utf8').trim());
    expect(readme).toContain(stdout.trim());
  } finally {
    await redis.stop();
  }
});

test('names every error code in the README and throws no other', () => {
  const codes = (text: string) => [...new Set(text.match(/ERR_WEIR_REDIS_[A-Z_]+[A-Z]/g))].sort();
  expect(codes(readme)).toEqual(codes(readFileSync(join(root, 'src/errors.ts'), 'utf8')));
});
