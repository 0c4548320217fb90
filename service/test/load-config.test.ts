import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../src/config/load-config.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

function mistakesOf(config: unknown): string[] {
  const path = join(temporaryDirectory(), 'weir.config.json');
  writeFileSync(path, typeof config === 'string' ? config : JSON.stringify(config));
  try {
    loadConfig(path);
    return [];
  } catch (thrown) {
    return (thrown as Error).message.split('\n').map((line) => line.replace(`${path}: `, ''));
  }
}

const target = { job: 'a', url: 'http://127.0.0.1:1/metrics' };

test.each([
  ['text that is not JSON', '{ "targets": [', ['not JSON: ']],
  ['a missing section', {}, ['(top level): `targets` is missing.']],
  [
    'mistakes of several kinds',
    { targets: [{ job: '', url: 7 }], scrape: { interval: '5 secs', maxSamples: 0 }, liste: {} },
    [
      '(top level): unknown key `liste`. Known keys: listen,',
      'scrape.interval: expected a duration such as "15s" or "1h30m", got "5 secs".',
      'scrape.maxSamples: expected a number >= 1, got 0.',
      'targets[0].job: must not be empty.',
      'targets[0].url: expected a string, got 7.',
    ],
  ],
  [
    'a URL that is none',
    { targets: [{ job: 'a', url: 'nowhere' }] },
    ['targets[0].url: expected an http(s) URL'],
  ],
  [
    'a timeout beyond the interval',
    { targets: [], scrape: { interval: '1s', timeout: '2s' } },
    ['scrape.timeout: expected at most `scrape.interval` (1000 ms), got 2000 ms.'],
  ],
  ['the same target twice', { targets: [target, target] }, ['targets[1]: same job, instance and labels']],
  [
    'a receiver of remote write with the URL of another, whatever its headers,',
    {
      targets: [],
      remoteWrite: [
        { url: 'http://127.0.0.1:1/write', headers: { 'x-scope-orgid': 'a' } },
        { url: 'http://127.0.0.1:1/write#1', headers: { 'x-scope-orgid': 'b' } },
        { url: 'HTTP://127.0.0.1:1/./write', headers: { 'x-scope-orgid': 'c' } },
      ],
    },
    [
      'remoteWrite[2].url: same URL as remoteWrite[0]; samples that one lacks would count as sent. Give one URL a fragment of its own, such as "#2"',
    ],
  ],
  [
    'a reserved label',
    { targets: [{ ...target, labels: { job: 'b' } }] },
    ['targets[0].labels: `job` comes from the target itself'],
  ],
  [
    'a benchmark without its file, and its name twice',
    {
      targets: [],
      benchmarks: [
        { name: 'b', file: 'weir.config.json' },
        { name: 'b', file: 'missing.json' },
      ],
    },
    ['benchmarks[1].name: "b" is taken by an earlier benchmark.', 'benchmarks[1].file: no file at'],
  ],
  [
    'a role that is none and a hash that is none',
    { targets: [], auth: { tokens: [{ name: 'a', role: 'root', sha256: 'x' }] } },
    [
      'auth.tokens[0].role: expected one of push, read, bench, admin, got "root".',
      'auth.tokens[0].sha256: expected text matching',
    ],
  ],
  [
    'a size that is none',
    { targets: [], store: { retentionSize: 'much' } },
    ['store.retentionSize: expected a size such as "10GB"'],
  ],
  ['a rule file that is missing', { targets: [], rules: { files: ['no.yml'] } }, ['no such file']],
])('%s is told, a line for every mistake', (_name, config, lines) => {
  const mistakes = mistakesOf(config).sort();
  expect(mistakes).toHaveLength(lines.length);
  for (const [at, line] of [...lines].sort().entries()) expect(mistakes[at]).toContain(line);
});

test.each([
  [{}, undefined, 1e9],
  [{ retentionSize: '2GB' }, 2e9, 1e9],
  [{ retentionSize: '500MB' }, 5e8, 5e8],
  [{ retentionSize: '500MB', backlogSize: '3GB' }, 5e8, 3e9],
  [{ backlogSize: '0B' }, undefined, 0],
])('a store of %j has the sizes %s and %s', (store, retentionBytes, backlogBytes) => {
  const path = join(temporaryDirectory(), 'weir.config.json');
  writeFileSync(path, JSON.stringify({ targets: [], store }));
  expect(loadConfig(path).store).toMatchObject({ retentionBytes, backlogBytes });
});

test('defaults are filled in, paths are relative to the file, and nothing can be changed', () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'weir.config.json');
  writeFileSync(path, JSON.stringify({ targets: [target] }));
  const config = loadConfig(path, { PORT: '0' });
  expect(config).toMatchObject({
    listen: { host: '127.0.0.1', port: 0 },
    store: { path: join(directory, '.weir/data'), retentionMs: 15 * 86_400_000 },
    scrape: { intervalMs: 5_000, timeoutMs: 4_000 },
  });
  expect(Object.isFrozen(config.targets[0])).toBe(true);
});
