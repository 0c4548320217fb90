import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@weir/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compareMicro, loadScenario, runBenchmark } from '../src/index.ts';
import { runCli } from './run-cli.ts';
import { type ScriptedServer, startScriptedServer } from './scripted-server.ts';

const docs = join(import.meta.dirname, '../docs');
const names = (await readdir(docs)).filter((name) => name.endsWith('.md'));
const pages = new Map<string, string>([
  ['../README.md', await readFile(join(import.meta.dirname, '../README.md'), 'utf8')],
]);
for (const name of names) pages.set(name, await readFile(join(docs, name), 'utf8'));
const blocks = (text: string, language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]+?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  );
const examples = [...pages].flatMap(([page, text]) =>
  blocks(text, 'ts').map((code, index) => ({ page, index, code })),
);

let server: ScriptedServer;
/** Inside the package, where its own name resolves to it. */
let folder: string;
beforeAll(async () => {
  const body = '{"items":[{"id":7}],"price":1}';
  server = await startScriptedServer((socket) =>
    setTimeout(() => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`), 2),
  );
  folder = await mkdtemp(join(import.meta.dirname, '../.docs-'));
  const start = { command: `exec "${process.execPath}" target-of-the-docs.mjs` };
  const load = { requests: [{ path: '/' }], warmupMs: 0, durationMs: 300 };
  await writeFile(
    join(folder, 'target-of-the-docs.mjs'),
    "import { createServer } from 'node:http';\ncreateServer((_, response) => response.end('x')).listen(Number(process.env.PORT), '127.0.0.1');",
  );
  await writeFile(join(folder, 'users.csv'), 'name\nann\nbob\n');
  const scenarios = {
    shop: { target: `http://127.0.0.1:${await freePort()}`, start },
    'product-page': { target: server.target },
  };
  for (const [name, more] of Object.entries(scenarios))
    await writeFile(join(folder, `${name}.json`), JSON.stringify({ name, ...load, ...more }));
  // A repository of its own, whose commit can be checked out.
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=Weir', '-c', 'user.email=weir@localhost', ...args], {
      cwd: folder,
    });
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'shop');
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** Every `weir-bench` command of the documentation, whole lines of shell without their comments. */
function commands(): string[][] {
  return [...pages.values()]
    .flatMap((text) => [...blocks(text, 'sh'), ...blocks(text, '')].flatMap((block) => block.split('\n')))
    .filter((line) => /^(?:\$ )?weir-bench /.test(line))
    .map((line) =>
      [
        ...line
          .replace(/^\$ /, '')
          .replace(/ #.*$/, '')
          .matchAll(/'([^']*)'|(\S+)/g),
      ].map(([, quoted, plain = '']) =>
        (quoted ?? plain).replace('https://weir.example', 'http://127.0.0.1:59999'),
      ),
    );
}

test('every command of the documentation is one that the tool takes', async () => {
  // Calibration needs no file, so it would run for more than a minute.
  const found = commands().filter(([, command]) => command !== 'calibrate');
  expect(found.length).toBeGreaterThan(8);
  const directory = await mkdtemp(join(tmpdir(), 'weir-docs-'));
  const wrong: string[] = [];
  for (const [, ...args] of found) {
    // In an empty directory each gets as far as its scenario or its history, which is not there, and no further.
    const { stderr } = await runCli(args, { cwd: directory });
    if (!/ENOENT|not a git repository|holds no history|cannot be reached|Cannot find module/.test(stderr))
      wrong.push(`${args.join(' ')}: ${stderr}`);
  }
  await rm(directory, { recursive: true });
  expect(wrong).toEqual([]);
});

test('the overview names every page, in links that lead somewhere', () => {
  const linked = [...(pages.get('README.md') ?? '').matchAll(/\]\((.+?\.md)\)/g)].map((match) => match[1]);
  expect(linked.sort()).toEqual(names.filter((name) => name !== 'README.md').sort());
});

test.each(examples)(
  'the example $index of $page runs',
  { timeout: 60_000 },
  async ({ page, index, code }) => {
    const file = join(folder, `${page.replaceAll(/\W/g, '-')}-${index}.ts`);
    await writeFile(file, code.replace('http://127.0.0.1:4041', server.target).replace('120_000', '3_000'));
    if (code.includes('export default defineMicro')) {
      const plan = { minPairs: 1, maxPairs: 1 };
      expect((await compareMicro({ file, roundMs: 5, rounds: 1, plan })).pairs).toHaveLength(1);
    } else if (code.includes('export default defineBench')) {
      process.env.SHOP_TOKEN = 'key';
      const scenario = await loadScenario(file);
      const { checks, requests } = await runBenchmark({ ...scenario, warmupMs: 0, durationMs: 600 });
      delete process.env.SHOP_TOKEN;
      expect(requests.errors).toBe(0);
      expect(checks).toMatchObject({ failed: 0 });
      expect(server.heads.some((head) => /authorization: Bearer key/.test(head))).toBe(true);
    } else {
      let run = await runScript(file);
      // Between its reservation and the example's server another process may have taken the port.
      if (run.stderr.includes('EADDRINUSE')) run = await runScript(file);
      const { failure, stderr } = run;
      expect(stderr).toBe('');
      expect(failure).toBeNull();
    }
  },
);

test('the example that stands beside the package runs', async () => {
  const { failure, stdout } = await runScript(join(import.meta.dirname, '../examples/hello.ts'));
  expect(failure).toBeNull();
  expect(stdout).toMatch(/^[\d.]+ answers\/s, p99 [\d.]+ ms, 0 without answer\n$/);
  const left = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  expect(left).not.toContain('target-of-the-docs.mjs');
});

function runScript(file: string): Promise<{ failure: Error | null; stdout: string; stderr: string }> {
  const args = ['--conditions=@weir/source', file];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, timeout: 50_000 }, (failure, stdout, stderr) =>
      resolve({ failure, stdout, stderr }),
    );
  });
}
