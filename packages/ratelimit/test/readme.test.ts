import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { errorCatalogue } from '../src/index.ts';

const root = join(import.meta.dirname, '..');

test('the README shows what the example prints, and names exactly the codes of the catalogue', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const args = ['--conditions=@weir/source', join(root, 'examples/fastify.ts')];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(readme).toContain(`\`\`\`\n${stdout}\`\`\``);
  const codes = new Set(readme.match(/ERR_WEIR_RATELIMIT_[A-Z_]+/g));
  expect([...codes].sort()).toEqual(Object.keys(errorCatalogue).sort());
});
