import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { runInThisContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import { createMetrics, type NPlusOneEvent } from '../src/index.ts';

const standard = Error.prepareStackTrace;
const limit = Error.stackTraceLimit;
afterEach(() => {
  Error.prepareStackTrace = standard;
  Error.stackTraceLimit = limit;
});

type Formatter = typeof Error.prepareStackTrace | undefined;

const formatters: Readonly<Record<string, Formatter>> = {
  'call sites': (_error, sites) => sites,
  'a count': (_error, sites) => sites.length,
  nothing: () => undefined,
  'text without frames': () => 'an error',
  'text with mapped frames': (error, sites) =>
    `${String(error)}\n${sites.map((site) => `    at ${String(site).replace('call-site.test.ts', 'call-site.origin.ts')}`).join('\n')}`,
  'an exception': () => {
    throw new Error('no stack');
  },
  'no function': undefined,
};

/** Runs the same read twelve times in one request; returns the findings. */
function twelveReads(): NPlusOneEvent[] {
  const found: NPlusOneEvent[] = [];
  const metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: { onNPlusOne: (event) => found.push(event) },
  });
  const database = metrics.instrument(new DatabaseSync(':memory:'));
  const exchange = metrics.http.begin('GET');
  metrics.http.run(exchange, () => {
    for (let index = 0; index < 12; index += 1) {
      expect(database.prepare('SELECT ? AS x').get(index)).toMatchObject({ x: index });
    }
  });
  void metrics.close();
  return found;
}

describe.each(Object.entries(formatters))('Error.prepareStackTrace that gives %s', (name, formatter) => {
  test('leaves queries as they are, finds the caller, and is still set afterwards', () => {
    Reflect.set(Error, 'prepareStackTrace', formatter);
    Error.stackTraceLimit = 3;
    const found = twelveReads();
    expect([Error.prepareStackTrace, Error.stackTraceLimit]).toEqual([formatter, 3]);
    Error.prepareStackTrace = standard;
    const file = name === 'text with mapped frames' ? /call-site\.origin\.ts/ : /call-site\.test\.ts/;
    expect(found.map(({ callSite }) => callSite)).toEqual([expect.stringMatching(file)]);
  });
});

test('an accessor in the place of Error.prepareStackTrace stays an accessor', () => {
  const get = (): Formatter => (_error, sites) => sites;
  Object.defineProperty(Error, 'prepareStackTrace', { get, set: () => {}, configurable: true });
  const found = twelveReads();
  const after = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  Object.defineProperty(Error, 'prepareStackTrace', {
    value: standard,
    writable: true,
    configurable: true,
  });
  expect(after?.get).toBe(get);
  expect(found[0]?.callSite).toMatch(/call-site\.test\.ts/);
});

// Bundlers leave `import.meta` empty in a CommonJS file.
test('no source file reads import.meta, so that the package runs in a CommonJS bundle', () => {
  const directory = join(import.meta.dirname, '../src');
  const files = globSync('**/*.ts', { cwd: directory });
  expect(files.length).toBeGreaterThan(40);
  const reading = files.filter((file) => readFileSync(join(directory, file), 'utf8').includes('import.meta'));
  expect(reading).toEqual([]);
});

/** The caller's line of a slow query that `run` makes with a database, from its second execution on. */
function lineOf(run: (execute: () => void) => void): string | undefined {
  const lines: (string | undefined)[] = [];
  const metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: { slowQueryMs: 0, onSlowQuery: ({ callSite }) => lines.push(callSite) },
  });
  const statement = metrics.instrument(new DatabaseSync(':memory:')).prepare('SELECT 1');
  for (let times = 0; times < 2; times += 1) run(statement.all as () => void);
  void metrics.close();
  return lines[1];
}

test.each([
  ['/app/(shop)/[id]/page.js', '/app/(shop)/[id]/page.js'],
  ['/app/my app (1)/main.js', '/app/my app (1)/main.js'],
  ['file:///app/my%20app/main.mjs', '/app/my app/main.mjs'],
  ['C:\\app\\main.js', 'C:\\app\\main.js'],
])('a caller in the file %s is found', (filename, shown) => {
  const run = runInThisContext('(function named(execute) { execute(); })', { filename }) as (
    execute: () => void,
  ) => void;
  expect(lineOf((execute) => run(execute))).toBe(`${shown}:1:28`);
});

test.each([
  'node:internal/process/task_queues',
  '/app/node_modules/builder/index.js',
  'evalmachine.<anonymous>',
])('a frame of %s is not the caller', (filename) => {
  const run = runInThisContext('(function named(execute) { execute(); })', { filename }) as (
    execute: () => void,
  ) => void;
  expect(lineOf((execute) => run(execute))).toMatch(/call-site\.test\.ts:\d+:\d+$/);
});

test('a caller behind many frames of a library is found, one behind more is not', () => {
  const source =
    '(function down(depth, execute) { if (depth === 0) execute(); else down(depth - 1, execute); })';
  const down = runInThisContext(source, { filename: '/app/node_modules/builder/index.js' }) as (
    depth: number,
    execute: () => void,
  ) => void;
  for (const depth of [3, 20, 45])
    expect(lineOf((execute) => down(depth, execute))).toMatch(/call-site\.test\.ts/);
  expect(lineOf((execute) => down(100, execute))).toBeUndefined();
});
