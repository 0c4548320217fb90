import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startFakeTarget } from './support/fake-target.ts';
import { eventually, getJson, instant, startServiceProcess } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const jobs = async (url: string): Promise<string[]> => {
  const { data } = await getJson<{ data: { activeTargets: { scrapePool: string }[] } }>(
    `${url}/api/v1/targets`,
  );
  return data.activeTargets.map(({ scrapePool }) => scrapePool).sort();
};

test('SIGHUP takes the configuration over, ends what went, and keeps the old one when the new is wrong', async () => {
  const directory = temporaryDirectory();
  const [first, second] = [await startFakeTarget('one 1\n'), await startFakeTarget('two 2\n')];
  const write = (config: unknown): void =>
    writeFileSync(join(directory, 'weir.config.json'), JSON.stringify(config));
  const base = { scrape: { interval: '200ms' } };
  const service = await startServiceProcess(directory, {
    ...base,
    targets: [{ job: 'one', url: first.url }],
  });
  await eventually(
    () => instant(service, 'one'),
    (answer) => answer.length === 1,
  );
  write({ ...base, targets: [{ job: 'two', url: second.url }] });
  process.kill(service.pid, 'SIGHUP');
  await eventually(
    () => instant(service, 'two'),
    (answer) => answer.length === 1,
  );
  expect(await jobs(service.url)).toEqual(['two', 'weir']);
  await eventually(
    () => instant(service, '{__name__=~"one|up", job="one"}'),
    (answer) => answer.length === 0,
  );
  write({ targets: 'none' });
  process.kill(service.pid, 'SIGHUP');
  await eventually(
    async () => service.output().stderr,
    (stderr) => stderr.includes('targets: expected an array'),
  );
  expect(await jobs(service.url)).toEqual(['two', 'weir']);
});

test('target lists in a watched directory come, change and go; a broken one keeps the targets it had', async () => {
  const directory = temporaryDirectory();
  const target = await startFakeTarget('seen 1\n');
  mkdirSync(join(directory, 'lists'));
  const list = (name: string, content: string): void => {
    writeFileSync(join(directory, `${name}.tmp`), content);
    renameSync(join(directory, `${name}.tmp`), join(directory, 'lists', name));
  };
  list('a.json', JSON.stringify([{ targets: [target.instance], labels: { zone: 'x' } }]));
  const service = await startServiceProcess(directory, {
    scrape: { interval: '200ms' },
    targets: [],
    discovery: [{ job: 'fleet', directory: 'lists' }],
  });
  await eventually(
    () => instant(service, 'seen{zone="x"}'),
    (answer) => answer.length === 1,
  );
  list('a.json', `[{"targets": ["${target.instance}"], "labels": {"zone": "y"}}]`);
  await eventually(
    () => instant(service, 'seen'),
    (answer) => answer[0]?.[0].zone === 'y',
  );
  list('a.json', '[{');
  await eventually(
    async () => service.output().stderr,
    (stderr) => stderr.includes('a.json'),
  );
  expect(await jobs(service.url)).toContain('fleet');
  list('a.json', '[]');
  await eventually(
    () => instant(service, 'seen'),
    (answer) => answer.length === 0,
  );
});
