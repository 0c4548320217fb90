import { expect, test } from 'vitest';
import { runBenchmark } from '../src/index.ts';
import { assertTargetAllowed } from '../src/scenario/target.ts';

test.each([
  'http://127.0.0.1:4041',
  'http://127.8.9.1',
  'http://[::1]:80',
  'http://localhost:3000',
  'https://shop.localhost',
  'http://2130706433', // 127.0.0.1 as one number
])('%s is loopback and allowed', (target) => {
  expect(() => assertTargetAllowed(target, [])).not.toThrow();
});

test.each([
  ['http://10.0.0.7:8080', ['10.0.0.7']],
  ['http://10.0.0.7:8080', ['10.0.0.7:8080']],
  ['https://bench.internal', ['bench.internal:443']],
  ['http://a.bench.internal', ['*.bench.internal']],
  ['http://[2001:db8::1]:80', ['2001:db8::1']],
])('%s is allowed by %j', (target, allow) => {
  expect(() => assertTargetAllowed(target, allow)).not.toThrow();
});

test.each([
  ['http://10.0.0.7:8080', []],
  ['http://10.0.0.7:8080', ['10.0.0.7:80']],
  ['http://bench.internal', ['*.bench.internal']],
  ['http://evilbench.internal', ['bench.internal']],
  ['http://localhost.evil.example', []],
  ['http://127.0.0.1.evil.example', ['127.0.0.1']],
  ['http://0.0.0.0:4041', []],
])('%s is refused by %j', (target, allow) => {
  expect(() => assertTargetAllowed(target, allow)).toThrow(
    expect.objectContaining({ code: 'ERR_WEIR_BENCH_TARGET_REFUSED' }),
  );
});

test('a refused target is never connected to', async () => {
  await expect(
    runBenchmark({ name: 'out', target: 'http://192.0.2.1', requests: [{ path: '/' }] }),
  ).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_TARGET_REFUSED',
    message: expect.stringContaining('loopback'),
  });
});
