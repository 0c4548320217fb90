import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promtool } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { hashToken } from '../src/auth/tokens.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTestService } from './support/test-service.ts';

const main = join(import.meta.dirname, '../src/main.ts');

function weir(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--conditions=@weir/source', main, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test('query and targets ask a running service, and say in one line when there is none', async () => {
  const service = await startTestService();
  expect(await weir('query', '1 + 1', '--time', '4', '--url', service.url)).toEqual({
    code: 0,
    stdout: '2 @[4]\n',
    stderr: '',
  });
  expect((await weir('targets', '--url', service.url)).stdout).toMatch(/^(up|unknown) +weir http:\/\//);
  const bad = await weir('query', 'sum(', '--url', service.url);
  expect([bad.code, bad.stderr.trim().split('\n').length]).toEqual([1, 1]);
  const none = await weir('query', '1', '--url', 'http://127.0.0.1:1');
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('No answer from http://127.0.0.1:1')]);
});

test('targets are registered, listed and removed by command', async () => {
  const service = await startTestService({ registration: { allow: ['127.0.0.1'] } });
  const targets = (...args: string[]) => weir('targets', ...args, '--url', service.url);
  const added = await targets(
    'add',
    'http://127.0.0.1:1/metrics',
    '--job',
    'j',
    '--label',
    'zone=a',
    '--ttl',
    '1m',
  );
  expect([added.code, added.stdout]).toEqual([0, expect.stringMatching(/^[0-9a-f]{32} until 2/)]);
  expect((await targets('list')).stdout).toContain('http://127.0.0.1:1/metrics');
  const refused = await targets('add', 'http://10.0.0.1/metrics', '--job', 'j');
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('registration.allow')]);
  const id = added.stdout.split(' ')[0] as string;
  expect((await targets('remove', id)).code).toBe(0);
  expect((await targets('remove', id)).code).toBe(1);
  expect((await targets('add', 'http://127.0.0.1:1/')).code).toBe(2);
});

test('promtool queries the service as it does Prometheus', async () => {
  const service = await startTestService();
  const { code, stdout } = await promtool(['query', 'instant', service.url, 'vector(7)']);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^\{\} => 7 @\[/)]);
  const range = await promtool([
    'query',
    'range',
    '--start=0',
    '--end=2',
    '--step=1s',
    service.url,
    'vector(7)',
  ]);
  expect(range.stdout).toBe('{} =>\n7 @[0]\n7 @[1]\n7 @[2]\n');
  expect((await promtool(['query', 'labels', service.url, 'job'])).code).toBe(0);
  expect((await promtool(['query', 'series', '--match=up', service.url])).code).toBe(0);
});

test('token shows a token once with the entry that holds its hash', async () => {
  const { stdout } = await weir('token', '--name', 'ci', '--role', 'bench');
  const [token = '', , , entry = ''] = stdout.split('\n');
  expect(JSON.parse(entry)).toEqual({ name: 'ci', role: 'bench', sha256: hashToken(token) });
  expect((await weir('token', '--name', 'ci', '--role', 'root')).code).toBe(2);
});

test('check-config counts what is configured or names every mistake', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'weir.config.json');
  writeFileSync(path, JSON.stringify({ targets: [{ job: 'a', url: 'http://127.0.0.1:1/metrics' }] }));
  expect((await weir('check-config', '--config', path)).stdout).toContain(
    'is valid: 1 target, 0 watched directories',
  );
  writeFileSync(
    path,
    JSON.stringify({ targets: [], benchmarks: [{ name: 'x', file: path, schedule: 'often' }] }),
  );
  const bad = await weir('check-config', '--config', path);
  expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('benchmarks[0].schedule: ')]);
});
