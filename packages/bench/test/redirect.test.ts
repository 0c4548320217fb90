import { afterEach, expect, test } from 'vitest';
import { runBenchmark, type Scenario } from '../src/index.ts';
import { type ScriptedServer, startScriptedServer } from './scripted-server.ts';

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.close();
});

const loops: [string, Partial<Scenario>][] = [
  ['a closed loop', {}],
  ['an open loop', { rate: 100 }],
  ['an open loop of two threads', { rate: 100, workers: 2 }],
  ['flows', { requests: [], flows: [{ name: 'one', steps: [{ path: '/' }] }] }],
];

async function load(location: string, more: Partial<Scenario>, allowTargets: string[] = []) {
  server = await startScriptedServer((socket) =>
    socket.write(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`),
  );
  return runBenchmark(
    {
      name: 'redirect',
      target: server.target,
      requests: [{ path: '/' }],
      connections: 2,
      warmupMs: 0,
      durationMs: 200,
      ...more,
    },
    { allowTargets },
  );
}

test.each(loops)('a redirect out of the allow-list ends %s with a refusal', async (_name, more) => {
  await expect(load('http://192.0.2.1/login', { ...more, durationMs: 60_000 })).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_TARGET_REFUSED',
    message: expect.stringMatching(/redirects to http:\/\/192\.0\.2\.1, which is not allowed/),
  });
});

test.each(loops)(
  'a redirect within the allow-list is counted by %s and not followed',
  async (_name, more) => {
    for (const location of ['/other', 'http://192.0.2.1/login']) {
      const result = await load(location, more, ['192.0.2.1']);
      expect(Object.keys(result.statusCodes)).toEqual(['302']);
      expect(server?.heads.every((head) => head.startsWith('GET / '))).toBe(true);
      await server?.close();
      server = undefined;
    }
  },
);
