import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generate } from '../scripts/generate.ts';

const root = join(import.meta.dirname, '../..');

test('generating twice gives the same bytes', async () => {
  expect(await generate()).toEqual(await generate());
});

test('the committed files are what the definitions generate', async () => {
  for (const [path, content] of await generate()) {
    expect(readFileSync(join(root, path), 'utf8') === content, path).toBe(true);
  }
});
