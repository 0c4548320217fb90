import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { startFakeTarget } from './support/fake-target.ts';
import { eventually, getJson, instant, startServiceProcess } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTestService } from './support/test-service.ts';

interface Shown {
  readonly data: { readonly activeTargets: { readonly scrapePool: string; readonly lastError: string }[] };
}

test('an exposition beyond a limit is refused whole, and the target says which limit', async () => {
  const answers: Record<string, string | Buffer> = {
    samples: 'a 1\nb 1\nc 1\nd 1\ne 1\nf 1\n',
    labels: 'a{b="1",c="1",d="1",e="1",f="1",g="1"} 1\n',
    long: `a{b="${'x'.repeat(100)}"} 1\n`,
    body: gzipSync(`# ${'x'.repeat(100_000)}\na 1\n`),
  };
  const target = await startFakeTarget((request, response) => {
    const answer = answers[request.url?.slice(1) ?? ''];
    if (request.url === '/silent') return;
    response.writeHead(200, typeof answer === 'string' ? {} : { 'content-encoding': 'gzip' }).end(answer);
  });
  const jobs = [...Object.keys(answers), 'silent'];
  const service = await startTestService({
    scrape: {
      interval: '500ms',
      timeout: '200ms',
      maxSamples: 5,
      maxLabels: 5,
      maxLabelValueLength: 50,
      maxBodyBytes: 50_000,
    },
    targets: jobs.map((job) => ({ job, url: `${target.url}/${job}` })),
  });
  const reasons: Record<string, string> = {
    samples: 'more than 5 samples',
    labels: 'more than 5 labels',
    long: 'longer than 50 characters',
    body: 'longer than 50000 bytes',
    silent: 'no answer within 200 ms',
  };
  // On a busy machine a first answer may be late too.
  await eventually(
    async () => {
      const { data } = await getJson<Shown>(`${service.url}/api/v1/targets`);
      return Object.fromEntries(
        data.activeTargets.map(({ scrapePool, lastError }) => [scrapePool, lastError]),
      );
    },
    (found) => jobs.every((job) => found[job]?.includes(reasons[job] as string)),
  );
  // Nothing of them was kept.
  expect(await instant(service, '{__name__=~"[a-f]"}')).toEqual([]);
});

test('samples refused for their time are told by the target while it is up, by a counter, and by one line of the log', async () => {
  let timeMs = Date.now();
  const target = await startFakeTarget((_request, response) => {
    timeMs -= 1_000;
    response.end(`backwards 1 ${timeMs}\nplain 1\n`);
  });
  const service = await startServiceProcess(temporaryDirectory(), {
    scrape: { interval: '500ms', timeout: '500ms' },
    targets: [{ job: 'odd', url: target.url }],
  });
  const refused = async (): Promise<number> =>
    Number(
      /weir_store_samples_refused_total\{reason="out_of_order"\} (\d+)/.exec(
        await (await fetch(`${service.url}/metrics`)).text(),
      )?.[1],
    );
  await eventually(refused, (count) => count >= 3);
  const { data } = await getJson<Shown>(`${service.url}/api/v1/targets`);
  expect(data.activeTargets.find(({ scrapePool }) => scrapePool === 'odd')).toMatchObject({
    health: 'up',
    lastError: expect.stringContaining('Not stored: 1 sample is not newer than what is stored'),
  });
  expect(await instant(service, 'plain')).toHaveLength(1);
  const lines = service.output().stderr.trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { reason: string }).reason)).toEqual([
    expect.stringContaining(`${target.instance}: Not stored: 1 sample is not newer`),
  ]);
});
