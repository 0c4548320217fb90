import { startPrometheus } from '@weir/test-kit';
import { expect, onTestFinished, test } from 'vitest';
import { startFakeTarget } from './support/fake-target.ts';
import { eventually, getJson, instant } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTestService } from './support/test-service.ts';

test('remote write brings every sample to a real Prometheus, those of an outage included, stale markers too, past a proxy of small bodies', async () => {
  const prometheus = await startPrometheus({ targets: [], args: ['--web.enable-remote-write-receiver'] });
  onTestFinished(() => prometheus.stop());
  let ticks = 0;
  let isDown = false;
  let refused = 0;
  let tooLarge = 0;
  const mostBytes = 8_000;
  const receiver = await startFakeTarget((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (isDown) {
        refused++;
        response.writeHead(503).end();
        return;
      }
      if (Buffer.concat(parts).length > mostBytes) {
        tooLarge++;
        response.writeHead(413).end();
        return;
      }
      const { 'content-type': type = '', 'content-encoding': encoding = '' } = request.headers;
      fetch(`${prometheus.url}/api/v1/write`, {
        method: 'POST',
        headers: { 'content-type': type, 'content-encoding': encoding },
        body: Buffer.concat(parts),
      }).then(
        ({ status }) => response.writeHead(status).end(),
        () => response.writeHead(502).end(),
      );
    });
  });
  const others = Array.from(
    { length: 2_000 },
    (_, i) => `other{path="/a/rather/long/path/${i}"} ${Math.random()}\n`,
  );
  const target = await startFakeTarget((_request, response) =>
    response.end(`${others.join('')}ticks_total ${++ticks}\n`),
  );
  const directory = temporaryDirectory();
  const config = {
    targets: [{ job: 'clock', url: target.url }],
    remoteWrite: [{ url: `${receiver.url}/write` }],
  };
  const service = await startTestService(config, directory);
  await eventually(
    () => instant(prometheus, 'ticks_total'),
    (answer) => answer.length === 1,
  );
  isDown = true;
  await eventually(
    async () => refused,
    (count) => count > 0,
  );
  await service.close();
  isDown = false;
  const again = await startTestService(config, directory);
  await eventually(
    () => instant(again, 'ticks_total'),
    (answer) => answer.length === 1,
  );
  const atMs = Date.now();
  await target.close();
  await eventually(
    () => instant(prometheus, 'ticks_total'),
    (answer) => answer.length === 0,
  );
  const range = async (url: string) =>
    (
      await getJson<{ data: { result: unknown } }>(
        `${url}/api/v1/query?query=ticks_total[1m]&time=${atMs / 1000}`,
      )
    ).data;
  const own = await range(again.url);
  await expect.poll(() => range(prometheus.url), { timeout: 20_000 }).toEqual(own);
  expect(tooLarge).toBeGreaterThan(0);
  const all = 'sum(count_over_time(other[1m]))';
  expect(await instant(prometheus, all, atMs)).toEqual(await instant(again, all, atMs));
  expect(await (await fetch(`${again.url}/metrics`)).text()).toMatch(
    /weir_remote_write_samples_total\{outcome="sent"\} [1-9].*outcome="refused"\} 0\n.*outcome="dropped"\} 0\n/s,
  );
});

test('with a backend the API answers what that Prometheus answers, errors included', async () => {
  const target = await startFakeTarget('seen 42\n');
  const prometheus = await startPrometheus({ targets: [{ job: 'far', address: target.instance }] });
  onTestFinished(() => prometheus.stop());
  const service = await startTestService({ backend: { url: prometheus.url } });
  await eventually(
    () => instant(service, 'seen'),
    (answer) => answer[0]?.[1] === '42',
  );
  const form = { method: 'POST', body: new URLSearchParams({ query: 'sum(' }) };
  const [own, other] = await Promise.all(
    [service, prometheus].map(async ({ url }) => {
      const response = await fetch(`${url}/api/v1/query`, form);
      return [response.status, await response.json()];
    }),
  );
  expect(own).toEqual(other);
  await prometheus.stop();
  const gone = await fetch(`${service.url}/api/v1/query?query=1`);
  expect([gone.status, await gone.json()]).toMatchObject([
    502,
    { status: 'error', errorType: 'unavailable' },
  ]);
});

test('the targets are handed on as http_sd', async () => {
  const target = await startFakeTarget('seen 1\n');
  const service = await startTestService({
    targets: [{ job: 'shop', url: `${target.url}/metrics`, labels: { zone: 'a' } }],
  });
  const list = await getJson<{ targets: string[]; labels: { job: string } }[]>(`${service.url}/sd/targets`);
  expect(list.find(({ labels }) => labels.job === 'shop')).toEqual({
    targets: [target.instance],
    labels: { job: 'shop', zone: 'a', __scheme__: 'http', __metrics_path__: '/metrics' },
  });
});
