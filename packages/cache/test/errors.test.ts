import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const source = join(import.meta.dirname, '../src');
const page = readFileSync(join(import.meta.dirname, '../docs/errors.md'), 'utf8');
const codesIn = (text: string) => new Set(text.match(/ERR_WEIR_CACHE_[A-Z_]+/g));

test('the page of errors lists the codes of the catalogue, no more and no fewer', () => {
  expect(codesIn(page)).toEqual(codesIn(readFileSync(join(source, 'errors.ts'), 'utf8')));
});

test('every code of the catalogue is thrown somewhere', () => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && file !== 'errors.ts',
  );
  const thrown = codesIn(files.map((file) => readFileSync(join(source, file), 'utf8')).join('\n'));
  for (const code of codesIn(readFileSync(join(source, 'errors.ts'), 'utf8'))) {
    if (code !== 'ERR_WEIR_CACHE_INVALID_OPTION') expect(thrown).toContain(code);
  }
});
