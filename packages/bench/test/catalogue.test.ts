import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as bench from '../src/index.ts';

const codePattern = /ERR_WEIR_BENCH_[A-Z_]+/g;
const read = (path: string) => readFile(join(import.meta.dirname, '..', path), 'utf8');

test('every error code is documented, and every documented one exists', async () => {
  const source = await read('src/errors.ts');
  const declared = new Set(source.slice(source.indexOf('export type BenchErrorCode')).match(codePattern));
  expect(new Set((await read('README.md')).match(codePattern))).toEqual(declared);
  expect(new Set(source.slice(0, source.indexOf('export type BenchErrorCode')).match(codePattern))).toEqual(
    declared,
  );
});

test('every error class of the catalogue is exported and documented', async () => {
  const classes = [...(await read('src/errors.ts')).matchAll(/export class (\w+)/g)].map(
    (match) => match[1] ?? '',
  );
  const readme = await read('README.md');
  expect(classes.filter((name) => !(name in bench))).toEqual([]);
  expect(classes.filter((name) => name !== 'BenchError' && !readme.includes(`\`${name}\``))).toEqual([]);
});

test('the scenario of the documentation passes the check', async () => {
  const page = await read('docs/scenarios.md');
  const body = /defineBench\((\{[\s\S]*?\n\})\);/.exec(page)?.[1] ?? '';
  const scenario = bench.defineBench(new Function(`return (${body})`)());
  expect(scenario.flows).toHaveLength(2);
});
