import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createToken } from '../src/auth/tokens.ts';

// `node --conditions=@weir/source service/scripts/prove-deploy.ts`, after `pnpm build`: does what service/Dockerfile does without an
// engine for containers: the production install into an empty directory, then its entry point from there.

const root = join(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'weir-deploy-'));
const app = join(directory, 'app');
const dockerfile = readFileSync(join(root, 'service/Dockerfile'), 'utf8');
if (!dockerfile.includes('--filter @weir/service deploy --prod --legacy /app'))
  throw new Error('The Dockerfile installs in another way than this script.');
let failed = true;
let child: ReturnType<typeof spawn> | undefined;
try {
  execFileSync('pnpm', ['--filter', '@weir/service', 'deploy', '--prod', '--legacy', app], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (const tool of ['vitest', 'typescript', 'vite'])
    if (existsSync(join(app, 'node_modules', tool))) throw new Error(`${tool} was deployed.`);
  cpSync(join(root, 'service/web/dist'), join(app, 'web/dist'), { recursive: true });
  const { token, sha256 } = createToken();
  writeFileSync(
    join(directory, 'weir.config.json'),
    JSON.stringify({
      listen: { host: '0.0.0.0' },
      auth: { tokens: [{ name: 'prove', role: 'read', sha256 }] },
      targets: [],
      store: { path: 'data' },
    }),
  );
  child = spawn(
    process.execPath,
    [join(app, 'dist/main.js'), 'serve', '--config', join(directory, 'weir.config.json')],
    { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH, PORT: '0' } },
  );
  const port = await new Promise<string>((resolve, reject) => {
    child?.stdout?.on('data', (part) => {
      const ready = /ready on \S+:(\d+)/.exec(String(part));
      if (ready !== null) resolve(ready[1] as string);
    });
    child?.on('exit', (code) => reject(new Error(`the service ended with ${code}`)));
  });
  const ask = async (path: string): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    await response.arrayBuffer();
    return response.status;
  };
  for (const path of ['/healthz', '/readyz', '/', '/api/v1/query?query=1%2B1', '/metrics', '/dashboards']) {
    const status = await ask(path);
    if (status !== 200) throw new Error(`${path} answered ${status}`);
    console.log(`ok: ${path}`);
  }
  failed = false;
} finally {
  child?.kill('SIGTERM');
  await sleep(500);
  child?.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
}
if (failed) process.exitCode = 1;
