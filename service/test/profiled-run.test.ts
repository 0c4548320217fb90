import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Run } from '../src/benchmarks/run-store.ts';
import { startFakeTarget } from './support/fake-target.ts';
import { eventually, getJson, startServiceProcess } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

/** A server whose `render` turns so many times a request, by paths of calls whose names alone are a large profile. */
function server(turns: number): string {
  const layers = Array.from({ length: 400 }, (_, i) => `layer_${i}_${'of_many'.repeat(60)}`);
  return `import { createServer } from 'node:http';
function render(turns) {
  let sum = 0;
  for (let i = 0; i < turns; i++) sum += Math.sqrt(i) * Math.sin(i);
  return String(sum);
}
${layers.map((name) => `function ${name}(turns) { return render(turns); }`).join('\n')}
const layers = [${layers.join()}];
let next = 0;
createServer((_request, response) => response.end(layers[next++ % layers.length](${turns}))).listen(process.env.PORT, '127.0.0.1');
`;
}

test('a profiled run starts both builds itself, and keeps the report, the flame graph and the function that differs', async () => {
  const directory = temporaryDirectory();
  for (const [build, turns] of [
    ['base', 2_000],
    ['head', 60_000],
  ] as const) {
    mkdirSync(join(directory, build));
    writeFileSync(join(directory, build, 'server.mjs'), server(turns));
  }
  const running = await startFakeTarget('hello');
  writeFileSync(
    join(directory, 'scenario.json'),
    JSON.stringify({
      name: 'page',
      target: running.url,
      requests: [{ path: '/' }],
      connections: 2,
      durationMs: 500,
      warmupMs: 100,
    }),
  );
  const start = `exec "${process.execPath}" server.mjs`;
  const service = await startServiceProcess(directory, {
    targets: [],
    benchmarks: [
      { name: 'page', file: 'scenario.json', profile: { start, base: 'base', head: 'head', rounds: 1 } },
    ],
  });
  const started = await fetch(`${service.url}/benchmarks/page/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ profile: true }),
  });
  expect(started.status).toBe(202);
  const url = service.url + started.headers.get('location');
  // The stream ends with the run, however long profiling takes.
  expect(await (await fetch(`${url}/events`)).text()).toContain('event: end');
  const run = await getJson<Run>(url);
  expect(run).toMatchObject({ status: 'finished', error: null });
  const files = ['base.cpuprofile', 'culprits.json', 'flame-graph.svg', 'head.cpuprofile', 'speedscope.json'];
  expect(run.artefacts.toSorted()).toEqual(files);
  const { functions } = await getJson<{ functions: { name: string }[] }>(`${url}/artefacts/culprits.json`);
  expect(functions[0]?.name).toContain('render');
  const graph = await (await fetch(`${url}/artefacts/flame-graph.svg`)).text();
  expect(graph).toMatch(/^<svg[\s\S]*render/);
  const report = await fetch(`${url}/report`);
  expect(report.headers.get('content-type')).toContain('text/html');
  expect(await report.text()).toContain('page');
  await eventually(
    () => getJson<{ running: Run | null }[]>(`${service.url}/benchmarks`),
    ([benchmark]) => benchmark?.running === null,
  );
});
