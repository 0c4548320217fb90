import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboards } from '@weir/dashboards';
import { expect, test } from 'vitest';
import { readRuleFile } from '../src/config/rule-file.ts';
import { startFakeTarget } from './support/fake-target.ts';
import { eventually, instant } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTestService } from './support/test-service.ts';

const rules = `groups:
  - name: shop
    interval: 200ms
    rules:
      - record: job:errors:sum
        expr: sum by (job) (errors)
      - alert: Errors
        expr: job:errors:sum > 5
        for: 400ms
        labels: { severity: page }
        annotations: { summary: '{{ $labels.job }} has {{ $value | humanize }} errors' }
`;

interface WebhookBody {
  readonly status: string;
  readonly groupLabels: object;
  readonly alerts: {
    status: string;
    labels: object;
    annotations: object;
    startsAt: string;
    endsAt: string;
  }[];
}

test('rules record, an alert waits, fires to the webhook, survives a restart and resolves', async () => {
  let errors = 9;
  const target = await startFakeTarget((_request, response) => response.end(`errors ${errors}\n`));
  const bodies: WebhookBody[] = [];
  let isDown = true;
  const webhook = await startFakeTarget((request, response) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      // The first attempt fails: it has to come again.
      if (!isDown) bodies.push(JSON.parse(text) as WebhookBody);
      response.writeHead(isDown ? 503 : 200).end();
      isDown = false;
    });
  });
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'rules.yml'), rules);
  const config = {
    targets: [{ job: 'shop', url: target.url }],
    rules: { files: ['rules.yml'], webhook: webhook.url },
  };
  const service = await startTestService(config, directory);
  await eventually(
    // It may be pending for less than the time between two looks.
    () => instant(service, 'count_over_time(ALERTS{alertstate="pending"}[1m])'),
    (answer) => answer.length === 1,
  );
  await eventually(
    () => instant(service, 'ALERTS{alertstate="firing"}'),
    (answer) => answer.length === 1,
  );
  expect(await instant(service, 'ALERTS')).toEqual([
    [{ __name__: 'ALERTS', alertname: 'Errors', alertstate: 'firing', job: 'shop', severity: 'page' }, '1'],
  ]);
  await eventually(
    async () => bodies,
    (sent) => sent.length === 1,
  );
  expect(bodies[0]).toMatchObject({
    version: '4',
    status: 'firing',
    groupLabels: { alertname: 'Errors' },
    alerts: [
      {
        status: 'firing',
        labels: { alertname: 'Errors', job: 'shop', severity: 'page' },
        annotations: { summary: 'shop has 9 errors' },
        endsAt: '0001-01-01T00:00:00Z',
      },
    ],
  });
  const [[, since = ''] = []] = await instant(service, 'ALERTS_FOR_STATE');
  await service.close();

  const again = await startTestService(config, directory);
  await eventually(
    () => instant(again, 'ALERTS{alertstate="firing"} and on (job) up'),
    (answer) => answer.length === 1,
  );
  expect((await instant(again, 'ALERTS_FOR_STATE'))[0]?.[1]).toBe(since);
  errors = 0;
  await eventually(
    async () => bodies,
    (sent) => sent.at(-1)?.status === 'resolved',
  );
  expect(bodies.at(-1)?.alerts[0]?.endsAt).not.toBe('0001-01-01T00:00:00Z');
  expect(await instant(again, 'ALERTS')).toEqual([]);
  expect((await instant(again, 'job:errors:sum'))[0]?.[1]).toBe('0');
  expect(bodies.map(({ status }) => status)).toEqual(['firing', 'resolved']);
});

test('an alert that ends while the service is down, and one whose rule a reload takes out, are resolved', async () => {
  const directory = temporaryDirectory();
  const told: string[] = [];
  const webhook = await startFakeTarget((request, response) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      const { status, groupLabels } = JSON.parse(text) as {
        status: string;
        groupLabels: { alertname: string };
      };
      told.push(`${status} ${groupLabels.alertname}`);
      response.end();
    });
  });
  const write = (...list: [name: string, expr: string][]): void =>
    writeFileSync(
      join(directory, 'rules.yml'),
      JSON.stringify({
        groups: [{ name: 'g', interval: '200ms', rules: list.map(([alert, expr]) => ({ alert, expr })) }],
      }),
    );
  const config = { rules: { files: ['rules.yml'], webhook: webhook.url } };
  write(['Kept', 'vector(1)'], ['Ended', 'vector(1)']);
  const service = await startTestService(config, directory);
  await eventually(
    async () => told.length,
    (count) => count === 2,
  );
  await service.close();
  write(['Kept', 'vector(1)'], ['Ended', 'vector(1) > 1']);
  const again = await startTestService(config, directory);
  await eventually(
    async () => told,
    (list) => list.includes('resolved Ended'),
  );
  write(['Other', 'vector(1)']);
  await again.change(config);
  await eventually(
    async () => told,
    (list) => list.includes('resolved Kept') && list.includes('firing Other'),
  );
  expect(told.filter((one) => one.startsWith('firing')).sort()).toEqual([
    'firing Ended',
    'firing Kept',
    'firing Other',
  ]);
  expect(await instant(again, 'ALERTS{alertname="Kept"}')).toEqual([]);
});

test('the panels and marks of alerts name every alert that fires, of whatever rules, with and without a job', async () => {
  const directory = temporaryDirectory();
  writeFileSync(
    join(directory, 'rules.yml'),
    `groups:
  - name: own
    interval: 200ms
    rules:
      - { alert: CertificateExpires, expr: 'vector(1)', labels: { job: shop } }
      - { alert: NobodyScraped, expr: 'vector(1)' }
      - { alert: WeirTargetDown, expr: 'vector(1)', labels: { job: other } }
`,
  );
  const service = await startTestService({ rules: { files: ['rules.yml'] } }, directory);
  await eventually(
    () => instant(service, 'ALERTS{alertstate="firing"}'),
    (answer) => answer.length === 3,
  );
  const named = async (expr: string, job: string): Promise<string[]> =>
    (await instant(service, expr.replaceAll('$job', job))).map(([{ alertname = '' }]) => alertname).sort();
  let asked = 0;
  for (const { file } of dashboards) {
    const { panels, annotations } = JSON.parse(readFileSync(file, 'utf8')) as {
      panels: { targets?: { expr: string }[] }[];
      annotations: { list: { expr: string }[] };
    };
    for (const { expr } of [...panels.flatMap(({ targets }) => targets ?? []), ...annotations.list]) {
      if (!expr.includes('ALERTS')) continue;
      asked++;
      expect(await named(expr, '.+')).toEqual(['CertificateExpires', 'NobodyScraped', 'WeirTargetDown']);
      expect(await named(expr, '(shop|cron)')).toEqual(['CertificateExpires', 'NobodyScraped']);
    }
  }
  expect(asked).toBe(dashboards.length + 1);
});

test('a rule file is read with one line for every mistake', () => {
  const directory = temporaryDirectory();
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'rules.yml');
  writeFileSync(
    file,
    `groups:
  - name: a
    rules:
      - { record: 1x, expr: up }
      - { alert: A, expr: 'sum(' }
      - { alert: B, expr: up, for: soon, extra: 1 }
      - { expr: up }
  - name: a
`,
  );
  const mistakes: string[] = [];
  expect(readRuleFile(file, 60_000, mistakes)).toMatchObject([{ name: 'a', rules: [] }]);
  expect(mistakes.map((mistake) => mistake.replace(`${file}: `, ''))).toEqual([
    'groups[0].rules[0].record: "1x" is not a metric name.',
    expect.stringContaining('groups[0].rules[1].expr: '),
    'groups[0].rules[2]: unknown key `extra`.',
    'groups[0].rules[2].for: expected a duration such as "5m", got "soon".',
    'groups[0].rules[3]: expected exactly one of `record` and `alert`.',
    'groups[1]: expected a `name` of its own, got "a".',
  ]);
});
