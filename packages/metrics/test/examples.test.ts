import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const packageDir = join(import.meta.dirname, '..');
const readme = readFileSync(join(packageDir, 'README.md'), 'utf8');

function run(file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=@weir/source', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.on('close', (code) => (code === 0 ? resolve(out) : reject(new Error(err))));
  });
}

test.each(readdirSync(join(packageDir, 'examples')))(
  'the example %s runs and prints its count of three',
  async (name) => {
    expect(await run(join(packageDir, 'examples', name))).toMatch(
      /http_server_request_duration_seconds_count.* 3\n/,
    );
  },
);

test('the example of the README is the one that runs', async () => {
  const source = readFileSync(join(packageDir, 'examples/fastify.ts'), 'utf8');
  const squeeze = (text: string): string => text.replace(/[\s,]+/g, '');
  expect(squeeze(readme)).toContain(squeeze(source));
  expect(readme).toContain((await run(join(packageDir, 'examples/fastify.ts'))).trim());
});
