import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// `pnpm prove:service-disk-full`, as root on Linux: a file system of 24 MB fills up under ingest, then gets room again.

const directory = mkdtempSync(join(tmpdir(), 'weir-full-'));
const disk = join(directory, 'disk');
mkdirSync(disk);
try {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk], { stdio: 'pipe' });
} catch {
  rmSync(directory, { recursive: true });
  console.error('Mounting a small file system wants root on Linux.');
  process.exit(1);
}
const target = createServer((_request, response) => {
  let body = '';
  for (let i = 0; i < 5_000; i++) body += `noise{i="${i}"} ${Math.random()}\n`;
  response.end(body);
});
await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
writeFileSync(join(disk, 'ballast'), Buffer.alloc(14_000_000));
writeFileSync(
  join(directory, 'weir.config.json'),
  JSON.stringify({
    store: { path: 'disk' },
    scrape: { interval: '200ms' },
    targets: [{ job: 'noise', url: `http://127.0.0.1:${(target.address() as AddressInfo).port}` }],
  }),
);
const main = join(import.meta.dirname, '../src/main.ts');
const child = spawn(
  process.execPath,
  ['--conditions=@weir/source', main, '--config', join(directory, 'weir.config.json')],
  { env: { ...process.env, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] },
);
const url = await new Promise<string>((resolve) => {
  child.stdout.on('data', (part) => {
    const ready = /ready on (\S+)/.exec(String(part));
    if (ready !== null) resolve(ready[1] as string);
  });
});
const ask = async (query: string): Promise<number> => {
  const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
  const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
  return Number(data.result[0]?.value[1] ?? Number.NaN);
};
const stateOf = async (): Promise<{ health: string; lastError: string }> => {
  const answer = (await (await fetch(`${url}/api/v1/targets`)).json()) as {
    data: { activeTargets: { scrapePool: string; health: string; lastError: string }[] };
  };
  return (
    answer.data.activeTargets.find(({ scrapePool }) => scrapePool === 'noise') ?? {
      health: '',
      lastError: '',
    }
  );
};
const until = async (what: string, check: () => Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 600; i++) {
    if (await check()) return console.log(`ok: ${what}`);
    await sleep(100);
  }
  throw new Error(`not within a minute: ${what}`);
};
let failed = true;
try {
  await until('the disk fills and ingestion refuses with a clear state', async () =>
    (await stateOf()).lastError.includes('The store cannot take samples'),
  );
  console.log(`    ${(await stateOf()).lastError}`);
  const kept = await ask('count_over_time(noise{i="1"}[10m])');
  await sleep(2_000);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  if (!metrics.includes('weir_store_writable 0')) throw new Error('weir_store_writable is not 0');
  if ((await ask('count_over_time(noise{i="1"}[10m])')) < kept) throw new Error('samples were lost');
  console.log(`ok: queries go on, ${kept} samples a series are there, weir_store_writable is 0`);
  rmSync(join(disk, 'ballast'));
  await until('with room again ingestion resumes by itself', async () => (await stateOf()).health === 'up');
  const after = await ask('count_over_time(noise{i="1"}[10m])');
  if (!(after > kept)) throw new Error(`${after} samples after ${kept}`);
  console.log(`ok: ${after} samples a series`);
  failed = false;
} finally {
  child.kill('SIGKILL');
  target.closeAllConnections();
  target.close();
  await sleep(300);
  execFileSync('umount', [disk]);
  rmSync(directory, { recursive: true, force: true });
  if (failed) process.exitCode = 1;
}
