import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defineBench, loadScenario, parseScenario, ScenarioError } from '../src/index.ts';
import { changeScenario, type ScenarioChanges } from '../src/scenario/scenario.ts';

const minimal = {
  name: 'product page',
  target: 'http://127.0.0.1:4041/',
  requests: [{ path: '/products/1' }],
};
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-bench-'));
});
afterAll(() => rm(directory, { recursive: true }));

test('defaults are filled in, and the scenario is frozen to its depth', () => {
  const scenario = defineBench(minimal);
  expect(scenario).toEqual({
    name: 'product page',
    target: 'http://127.0.0.1:4041',
    requests: [{ method: 'GET', path: '/products/1', headers: {} }],
    connections: 10,
    pipelining: 1,
    workers: 1,
    objectives: [],
    durationMs: 10_000,
    warmupMs: 2_000,
    timeoutMs: 10_000,
  });
  expect(Object.isFrozen(scenario) && Object.isFrozen(scenario.requests[0]?.headers)).toBe(true);
});

test('a scenario is parsed once: a parsed one is returned as it is', async () => {
  const scenario = defineBench(minimal);
  expect(parseScenario(scenario)).toBe(scenario);
  const file = join(directory, 'once.json');
  await writeFile(file, JSON.stringify({ ...minimal, tls: { ca: 'ca.pem' } }));
  const loaded = await loadScenario(file);
  expect(parseScenario(loaded)).toBe(loaded);
  const changed = changeScenario(loaded, { connections: 3 });
  expect(changed).toEqual({ ...loaded, connections: 3 });
  expect(parseScenario(changed)).toBe(changed);
});

test('values that replace those of a parsed scenario are checked', () => {
  const scenario = defineBench({ ...minimal, stages: [{ durationMs: 100, rate: 1 }] });
  const issuesOf = (changes: ScenarioChanges) => {
    try {
      return changeScenario(scenario, changes) && [];
    } catch (error) {
      return (error as ScenarioError).issues.map(({ path }) => path);
    }
  };
  expect(issuesOf({ connections: 0, warmupMs: 1.5 }).sort()).toEqual(['connections', 'warmupMs']);
  expect(issuesOf({ durationMs: 50 })).toEqual(['durationMs']);
  expect(issuesOf({ objectives: ['p99 < 1 parsec'] })).toEqual(['objectives[0]']);
  expect(issuesOf({ warmupMs: 0 })).toEqual([]);
});

test('every mistake is named with its path in one line', () => {
  const wrong = {
    ...minimal,
    target: 'http://127.0.0.1:4041/products',
    requests: [{ path: 'products' }, { path: '/ok', metod: 'GET' }, { method: 'get', path: '/a b' }],
    connections: 0,
    durationMs: 1.5,
    duration: 10,
  };
  let error: unknown;
  try {
    parseScenario(wrong, 'bench.json');
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ScenarioError);
  const { issues, message } = error as ScenarioError;
  expect(issues.map((issue) => issue.path).sort()).toEqual([
    'connections',
    'duration',
    'durationMs',
    'requests[0].path',
    'requests[1].metod',
    'requests[2].method',
    'requests[2].path',
    'target',
  ]);
  expect(message).toMatch(/^bench\.json: /);
  expect(message).not.toContain('\n');
});

test.each([
  [null, 'scenario'],
  [[], 'scenario'],
  [{ ...minimal, requests: [] }, 'requests'],
  [{ ...minimal, target: 'ftp://127.0.0.1' }, 'target'],
  [{ ...minimal, target: 'http://user:pass@127.0.0.1' }, 'target'],
  [{ ...minimal, name: undefined }, 'name'],
  [{ ...minimal, requests: [{ path: '/', headers: { 'x y': '1' } }] }, 'requests[0].headers.x y'],
  [{ ...minimal, requests: [{ path: '/', headers: { a: 'b\r\nInjected: 1' } }] }, 'requests[0].headers.a'],
  [
    { ...minimal, requests: [{ path: '/', headers: { 'Content-Length': '9' } }] },
    'requests[0].headers.Content-Length',
  ],
  [{ ...minimal, requests: [{ path: '/p/{{env.SHOP_ID}}' }] }, 'requests[0]'],
  [{ ...minimal, requests: [{ path: '/', headers: { authorization: 'Bearer {{token}}' } }] }, 'requests[0]'],
  [{ ...minimal, requests: [{ path: '/', method: 'POST', body: '{"id":"{{ user.id }}"}' }] }, 'requests[0]'],
])('%j is refused at %s', (value, path) => {
  expect(() => parseScenario(value)).toThrow(
    expect.objectContaining({ code: 'ERR_WEIR_BENCH_SCENARIO', issues: [expect.objectContaining({ path })] }),
  );
});

test('scenarios load from JSON, JavaScript and TypeScript', async () => {
  const json = join(directory, 'a.json');
  const ts = join(directory, 'b.ts');
  const js = join(directory, 'c.mjs');
  await writeFile(json, JSON.stringify(minimal));
  await writeFile(
    ts,
    `const name: string = 'typed'; export default { ...${JSON.stringify(minimal)}, name };`,
  );
  await writeFile(js, `export default ${JSON.stringify({ ...minimal, name: 'js' })};`);
  expect((await loadScenario(json)).name).toBe('product page');
  expect((await loadScenario(ts)).name).toBe('typed');
  expect((await loadScenario(js)).name).toBe('js');
});

test.each([
  ['missing.json', undefined, 'ERR_WEIR_BENCH_FILE', 'cannot be read (ENOENT)'],
  ['missing.js', undefined, 'ERR_WEIR_BENCH_FILE', 'cannot be imported'],
  ['broken.json', '{"name": ', 'ERR_WEIR_BENCH_FILE', 'is not JSON'],
  ['none.mjs', 'export const a = 1;', 'ERR_WEIR_BENCH_FILE', 'has no default export'],
  ['other.yaml', 'name: x', 'ERR_WEIR_BENCH_FILE', 'expected a .json, .ts or .js file'],
  ['wrong.json', '{"name": "x"}', 'ERR_WEIR_BENCH_SCENARIO', 'target: is required'],
])('%s is one clear line', async (name, content, code, text) => {
  const file = join(directory, name);
  if (content !== undefined) await writeFile(file, content);
  const error = await loadScenario(file).catch((thrown) => thrown);
  expect(error).toMatchObject({ code });
  expect(error.message).toContain(text);
  expect(error.message).toContain(name);
  expect(error.message).not.toContain('\n');
});
