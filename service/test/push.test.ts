import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { OwnedSeries } from '../src/ingest/series-admission.ts';
import { startFakeTarget } from './support/fake-target.ts';
import { eventually, getJson, instant } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTestService } from './support/test-service.ts';

const nano = (timeMs: number): string => `${timeMs}000000`;
const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } });

function exportRequest(timeMs: number) {
  const time = { timeUnixNano: nano(timeMs) };
  return {
    resourceMetrics: [
      {
        resource: {
          attributes: [
            attribute('service.name', 'shop'),
            attribute('service.namespace', 'demo'),
            attribute('service.instance.id', 'shop-1'),
            attribute('host.name', 'box'),
          ],
        },
        scopeMetrics: [
          {
            metrics: [
              {
                name: 'http.server.requests',
                description: 'Requests',
                unit: '{request}',
                sum: {
                  aggregationTemporality: 2,
                  isMonotonic: true,
                  dataPoints: [
                    {
                      ...time,
                      asInt: '12',
                      attributes: [attribute('http.route', '/a'), attribute('job', 'mine')],
                    },
                  ],
                },
              },
              {
                name: 'http.server.request.duration',
                unit: 's',
                histogram: {
                  aggregationTemporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE',
                  dataPoints: [
                    {
                      ...time,
                      count: '6',
                      sum: 1.5,
                      bucketCounts: ['1', '2', '3'],
                      explicitBounds: [0.1, 1],
                      exemplars: [{ ...time, asDouble: 0.5, traceId: 'aa', spanId: 'bb' }],
                    },
                  ],
                },
              },
              { name: 'memory.utilization', unit: '1', gauge: { dataPoints: [{ ...time, asDouble: 0.25 }] } },
              {
                name: 'old',
                sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...time, asInt: '1' }] },
              },
            ],
          },
        ],
      },
    ],
  };
}

test('an OTLP export in JSON is stored under the names of Prometheus, and what is refused is told', async () => {
  const service = await startTestService();
  const timeMs = Date.now();
  const response = await fetch(`${service.url}/v1/metrics`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    body: gzipSync(JSON.stringify(exportRequest(timeMs))),
  });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    partialSuccess: { rejectedDataPoints: '1', errorMessage: expect.stringContaining('cumulative') },
  });
  const target = { job: 'demo/shop', instance: 'shop-1' };
  expect(await instant(service, 'http_server_requests_total')).toEqual([
    [{ __name__: 'http_server_requests_total', http_route: '/a', exported_job: 'mine', ...target }, '12'],
  ]);
  expect(await instant(service, 'http_server_request_duration_seconds_bucket')).toEqual(
    expect.arrayContaining([
      [{ __name__: 'http_server_request_duration_seconds_bucket', le: '0.1', ...target }, '1'],
      [{ __name__: 'http_server_request_duration_seconds_bucket', le: '1.0', ...target }, '3'],
      [{ __name__: 'http_server_request_duration_seconds_bucket', le: '+Inf', ...target }, '6'],
    ]),
  );
  expect((await instant(service, 'memory_utilization_ratio'))[0]?.[1]).toBe('0.25');
  expect(await instant(service, 'target_info{job!="weir"}')).toEqual([
    [{ __name__: 'target_info', host_name: 'box', ...target }, '1'],
  ]);
  const exemplars = await getJson<{ data: { exemplars: unknown[] }[] }>(
    `${service.url}/api/v1/query_exemplars?query=http_server_request_duration_seconds_bucket&start=0&end=${timeMs / 1000 + 1}`,
  );
  expect(exemplars.data).toHaveLength(1);
  expect(exemplars.data[0]?.exemplars).toEqual([
    { labels: { span_id: 'bb', trace_id: 'aa' }, value: '0.5', timestamp: timeMs / 1000 },
  ]);
});

test('equal metrics of several instrumentation scopes are series of their own, told apart by name, version, schema and attributes', async () => {
  const service = await startTestService();
  const timeUnixNano = nano(Date.now());
  const counted = (value: number, ...own: object[]) => [
    {
      name: 'calls',
      sum: {
        aggregationTemporality: 2,
        isMonotonic: true,
        dataPoints: [{ timeUnixNano, asInt: String(value), attributes: own }],
      },
    },
    {
      name: 'time',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [
          { timeUnixNano, count: String(value), sum: 1, bucketCounts: [String(value)], explicitBounds: [] },
        ],
      },
    },
  ];
  const scopes: [object, Record<string, string>][] = [
    [{}, {}],
    [{ scope: { name: '' } }, { own: 'x' }],
    [{ scope: { name: 'lib-a' } }, { otel_scope_name: 'lib-a' }],
    [{ scope: { name: 'lib-a', version: '1' } }, { otel_scope_name: 'lib-a', otel_scope_version: '1' }],
    [
      { scope: { name: 'lib-a', version: '1' }, schemaUrl: 'https://x/1' },
      { otel_scope_name: 'lib-a', otel_scope_version: '1', otel_scope_schema_url: 'https://x/1' },
    ],
    [
      { scope: { name: 'lib-a', attributes: [attribute('9.part', 'x'), attribute('name', 'forged')] } },
      { otel_scope_name: 'lib-a', otel_scope_9_part: 'x' },
    ],
  ];
  const response = await fetch(`${service.url}/v1/metrics`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      resourceMetrics: [
        {
          resource: { attributes: [attribute('service.name', 'shop')] },
          scopeMetrics: scopes.map(([scope, labels], at) => ({
            ...scope,
            metrics: counted(at, ...('own' in labels ? [attribute('own', 'x')] : [])),
          })),
        },
      ],
    }),
  });
  // The histogram of the second scope differs from that of the first in nothing.
  expect(await response.json()).toMatchObject({ partialSuccess: { rejectedDataPoints: '3' } });
  const found = await instant(service, 'calls_total');
  expect(found).toHaveLength(scopes.length);
  for (const [at, [, labels]] of scopes.entries())
    expect(found).toContainEqual([{ __name__: 'calls_total', job: 'shop', ...labels }, String(at)]);
  expect(await instant(service, 'time_count')).toHaveLength(scopes.length - 1);
});

// Field by field as the wire format has it, so that the test does not share the code it tests.
function protobufExport(timeMs: number): Uint8Array {
  const length = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...length(value >> 7)];
  const bytes = (field: number, body: Buffer): Buffer =>
    Buffer.concat([Buffer.from([(field << 3) | 2, ...length(body.length)]), body]);
  const text = (field: number, value: string): Buffer => bytes(field, Buffer.from(value));
  const pair = (key: string, value: string): Buffer =>
    Buffer.concat([text(1, key), bytes(2, text(1, value))]);
  const fixed = (field: number, value: bigint): Buffer => {
    const body = Buffer.alloc(9);
    body[0] = (field << 3) | 1;
    body.writeBigInt64LE(value, 1);
    return body;
  };
  const double = (field: number, value: number): Buffer => {
    const body = Buffer.alloc(9);
    body[0] = (field << 3) | 1;
    body.writeDoubleLE(value, 1);
    return body;
  };
  const point = Buffer.concat([
    fixed(3, BigInt(timeMs) * 1_000_000n),
    fixed(6, -5n),
    bytes(7, pair('k.x', 'v')),
  ]);
  const gauge = Buffer.concat([text(1, 'level'), text(3, 'By'), bytes(5, bytes(1, point))]);
  const histogramPoint = Buffer.concat([
    fixed(3, BigInt(timeMs) * 1_000_000n),
    fixed(4, 3n),
    double(5, 2.5),
    bytes(6, Buffer.concat([fixed(0, 1n).subarray(1), fixed(0, 2n).subarray(1)])),
    bytes(7, double(0, 0.5).subarray(1)),
  ]);
  const histogram = Buffer.concat([
    text(1, 'time'),
    bytes(9, Buffer.concat([bytes(1, histogramPoint), Buffer.from([0x10, 2])])),
  ]);
  const named = Buffer.concat([text(1, 'lib'), text(2, '1'), bytes(3, pair('part', 'x'))]);
  const scope = Buffer.concat([bytes(1, named), bytes(2, gauge), bytes(2, histogram), text(3, 'https://x')]);
  const resource = bytes(1, pair('service.name', 'box'));
  return bytes(1, Buffer.concat([bytes(1, resource), bytes(2, scope)]));
}

test('an OTLP export in protobuf is stored, and the answer is an empty message', async () => {
  const service = await startTestService();
  const response = await fetch(`${service.url}/api/v1/otlp/v1/metrics`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: Buffer.from(protobufExport(Date.now())),
  });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-protobuf']);
  expect((await response.arrayBuffer()).byteLength).toBe(0);
  expect(await instant(service, 'level_bytes')).toEqual([
    [
      {
        __name__: 'level_bytes',
        job: 'box',
        k_x: 'v',
        otel_scope_name: 'lib',
        otel_scope_version: '1',
        otel_scope_part: 'x',
        otel_scope_schema_url: 'https://x',
      },
      '-5',
    ],
  ]);
  expect((await instant(service, 'time_bucket{le="0.5"}'))[0]?.[1]).toBe('1');
  expect((await instant(service, 'time_bucket{le="+Inf"}'))[0]?.[1]).toBe('3');
});

test('bodies that are no export are refused with a problem, and too long ones too', async () => {
  const service = await startTestService({ scrape: { interval: '1s', maxBodyBytes: 1_000 } });
  const send = async (type: string, body: string | Uint8Array, encoding?: string): Promise<number> => {
    const headers = {
      'content-type': type,
      ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
    };
    const response = await fetch(`${service.url}/v1/metrics`, {
      method: 'POST',
      headers,
      body: body as string,
    });
    await response.text();
    return response.status;
  };
  expect(await send('application/json', '{')).toBe(400);
  expect(await send('application/json', '[]')).toBe(400);
  expect(await send('application/x-protobuf', new Uint8Array([10, 200]))).toBe(400);
  expect(await send('text/plain', 'x')).toBe(415);
  expect(await send('application/json', 'x'.repeat(2_000))).toBe(400);
  // A bomb: small on the wire, long when unpacked.
  expect(await send('application/json', gzipSync('x'.repeat(1_000_000)), 'gzip')).toBe(400);
  expect(await send('application/json', 'no gzip', 'gzip')).toBe(400);
});

test('a short-lived job is shown until its push expires, under the labels of its path', async () => {
  const service = await startTestService({ push: { expiry: '1s' } });
  const push = (body: string) => fetch(`${service.url}/push/nightly/run-1`, { method: 'POST', body });
  expect((await push('rows_total{job="forged"} 7\n')).status).toBe(204);
  const labels = { __name__: 'rows_total', job: 'nightly', instance: 'run-1', exported_job: 'forged' };
  expect(await instant(service, 'rows_total')).toEqual([[labels, '7']]);
  expect(await instant(service, 'up{job="nightly"}')).toEqual([]);
  await eventually(
    () => instant(service, 'count_over_time(rows_total[1m])'),
    (answer) => Number(answer[0]?.[1]) >= 3,
  );
  await eventually(
    () => instant(service, 'rows_total'),
    (answer) => answer.length === 0,
  );
  const bad = await push('rows_total{ 7');
  expect([bad.status, ((await bad.json()) as { detail: string }).detail]).toEqual([
    400,
    'line 1: expected "}" after the labels',
  ]);
});

test('a pushed job can be taken back, and pushing can be switched off', async () => {
  const service = await startTestService();
  const url = `${service.url}/push/nightly`;
  await fetch(url, { method: 'PUT', body: 'done 1\n' });
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(204);
  expect(await instant(service, 'done')).toEqual([]);
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(404);
  await service.change({ push: { enabled: false } });
  expect((await fetch(url, { method: 'POST', body: 'done 1\n' })).status).toBe(403);
});

test('a push with timestamps of its own is stored whole, or refused whole with the reason', async () => {
  const service = await startTestService();
  const nowMs = Date.now();
  const times = { future: 3_600_000, now: 0, dayOld: -86_400_000, tooOld: -30 * 86_400_000 };
  const outOfBounds = '1 sample is too old or in the future';
  const outOfOrder = '1 sample is not newer than what is stored';
  const pushes: Record<string, [body: string, refusal: string | undefined]> = {
    day: ['a 1 $dayOld', undefined],
    ahead: ['a 1 $future', outOfBounds],
    beyondRetention: ['a 1 $tooOld', outOfBounds],
    sameTime: ['a 1 $now\na 2 $now', outOfOrder],
    twice: ['a 1\na 2', outOfOrder],
    oneOfThree: ['a 1\nb 1 $future\nc 1 $now', outOfBounds],
  };
  for (const [job, [body, refusal]] of Object.entries(pushes)) {
    const text = body.replace(/\$(\w+)/g, (_, name: keyof typeof times) => String(nowMs + times[name]));
    const response = await fetch(`${service.url}/push/${job}`, { method: 'POST', body: `${text}\n` });
    const problem =
      response.status === 204 ? undefined : ((await response.json()) as { detail: string }).detail;
    expect([job, response.status, problem]).toEqual([job, refusal === undefined ? 204 : 400, refusal]);
    const stored = await instant(service, `count_over_time({job="${job}"}[60d])`, nowMs + 7_200_000);
    expect(stored).toHaveLength(refusal === undefined ? 1 : 0);
  }
});

test('a push is taken again as it was, refused where it is older, and pushes of one millisecond are all stored', async () => {
  const service = await startTestService();
  const nowMs = Date.now();
  const push = async (body: string): Promise<number> =>
    (await fetch(`${service.url}/push/nightly`, { method: 'POST', body })).status;
  expect([await push(`a 1 ${nowMs}\n`), await push(`a 1 ${nowMs}\n`)]).toEqual([204, 204]);
  expect([await push(`a 2 ${nowMs}\n`), await push(`a 1 ${nowMs - 1}\n`)]).toEqual([400, 400]);
  expect(await Promise.all(Array.from({ length: 20 }, (_, i) => push(`b ${i}\n`)))).toEqual(
    Array(20).fill(204),
  );
  // What is shown again meanwhile is no further sample of a time of its own.
  await eventually(
    () => instant(service, 'count_over_time(b[1m])'),
    (answer) => Number(answer[0]?.[1]) > 20,
  );
  expect(await instant(service, 'count_over_time(a[1m])')).toMatchObject([[{}, '1']]);
  expect(await (await fetch(`${service.url}/metrics`)).text()).toMatch(
    /weir_store_samples_refused_total\{reason="out_of_order"\} 2\n.*reason="out_of_bounds"\} 0\n/s,
  );
});

test('series that the service writes itself cannot be pushed, whichever way they are written', async () => {
  const target = await startFakeTarget('errors_total 5\n');
  const directory = temporaryDirectory();
  writeFileSync(
    join(directory, 'rules.yml'),
    'groups: [{ name: g, rules: [{ record: "job:up:sum", expr: sum(up) }, { alert: Down, expr: up == 0 }] }]',
  );
  const config = {
    targets: [{ job: 'shop', url: target.url }],
    rules: { files: ['rules.yml'] },
    push: { expiry: '1h' },
  };
  const service = await startTestService(config, directory);
  const up = () => instant(service, 'up{job="shop"}');
  await eventually(up, (answer) => answer[0]?.[1] === '1');
  const otlp = async (resource: Record<string, string>, attributes: Record<string, string>, name = 'x') => {
    const list = (pairs: Record<string, string>) =>
      Object.entries(pairs).map(([key, value]) => attribute(key, value));
    const dataPoints = [
      { asDouble: 1, timeUnixNano: nano(Date.now() + 500_000), attributes: list(attributes) },
    ];
    const response = await fetch(`${service.url}/v1/metrics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        resourceMetrics: [
          {
            resource: { attributes: list(resource) },
            scopeMetrics: [{ metrics: [{ name, gauge: { dataPoints } }] }],
          },
        ],
      }),
    });
    return JSON.stringify(await response.json());
  };
  const job = async (path: string, body: string) =>
    (await fetch(`${service.url}/push/${path}`, { method: 'POST', body })).text();
  const scraped = `scrapes the instance \\"${target.instance}\\" of the job \\"shop\\" itself`;
  const own = { 'service.name': 'shop', 'service.instance.id': target.instance };
  expect(await otlp(own, {}, 'up')).toContain(scraped);
  expect(await otlp({ ...own, 'host.name': 'a' }, {}, 'errors.total')).toContain(scraped);
  expect(await job(`shop/${target.instance}`, 'up 1\n')).toContain(scraped.replaceAll('\\\\', '\\'));
  expect(await otlp({ 'service.name': 'other' }, {}, 'job:up:sum')).toContain(
    'job:up:sum is written by a rule',
  );
  expect(await otlp({ 'service.name': 'other' }, {}, 'ALERTS')).toContain('ALERTS is written by a rule');
  expect(await job('other', 'ALERTS_FOR_STATE 1\n')).toContain('ALERTS_FOR_STATE is written by a rule');
  expect(await job('other', 'fine 1\njob:up:sum 1\n')).toContain('job:up:sum is written by a rule');
  // Neither is the target itself.
  expect(await otlp({ 'service.name': 'shop' }, { instance: target.instance }, 'up')).toBe('{}');
  expect(await otlp({ ...own, 'service.name': 'shop2' }, { job: 'shop' }, 'up')).toBe('{}');
  await target.close();
  await eventually(up, (answer) =>
    answer.some(([labels, value]) => labels.instance === target.instance && value === '0'),
  );
  await service.change({ ...config, targets: [] });
  await eventually(
    () => otlp(own, {}, 'errors.total'),
    (answer) => answer === '{}',
  );
});

test('a pushed job that a target takes the place of leaves the target’s series alone', async () => {
  const target = await startFakeTarget('seen 2\n');
  const service = await startTestService({ push: { expiry: '1h' } });
  const path = `${service.url}/push/shop/${target.instance}`;
  expect((await fetch(path, { method: 'POST', body: 'seen 1\n' })).status).toBe(204);
  await service.change({ targets: [{ job: 'shop', url: target.url }], push: { expiry: '1h' } });
  await eventually(
    () => instant(service, 'seen'),
    (answer) => answer[0]?.[1] === '2',
  );
  expect((await fetch(path, { method: 'DELETE' })).status).toBe(204);
  expect(await instant(service, 'seen')).toMatchObject([[{}, '2']]);
});

test('a job and instance are a target’s until the last target of them ends', () => {
  const owned = new OwnedSeries();
  const labels = { job: 'a', instance: 'b' };
  owned.claim('1', labels);
  owned.claim('1', labels);
  owned.claim('2', { ...labels, zone: 'c' });
  owned.release('3', labels);
  owned.release('1', labels);
  expect(owned.refusalOfTarget('a', 'b')).toContain('scrapes the instance "b" of the job "a"');
  owned.release('2', labels);
  expect(owned.refusalOfTarget('a', 'b')).toBeUndefined();
  expect(owned.refusalOfTarget('a')).toBeUndefined();
});
