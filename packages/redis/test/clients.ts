import { GlideClient, GlideClusterClient } from '@valkey/valkey-glide';
import type { RedisCluster, RedisServer } from '@weir/test-kit';
import { Cluster, Redis } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5';
import { createClient, createCluster } from 'redis';
import { glide, linkOf, type RedisLink } from '../src/index.ts';

/** A client under test with its link. */
export interface TestClient {
  readonly link: RedisLink;
  close(): Promise<void> | void;
}

/** How one library connects, single and to a cluster. */
export interface ClientKind {
  readonly name: string;
  readonly library: RedisLink['library'];
  single(server: Pick<RedisServer, 'port'>, more?: { keyPrefix?: string }): Promise<TestClient>;
  cluster(cluster: RedisCluster, more?: { keyPrefix?: string }): Promise<TestClient>;
}

const quiet = <Client extends { on(event: 'error', listener: () => void): unknown }>(
  client: Client,
): Client => {
  client.on('error', () => {});
  return client;
};

type IoredisOptions = { keyPrefix?: string; enableAutoPipelining?: boolean; stringNumbers?: boolean };

function ioredisKind(
  name: string,
  library: { Redis: typeof Redis | typeof Redis5; Cluster: typeof Cluster | typeof Cluster5 },
  base: IoredisOptions = {},
): ClientKind {
  return {
    name,
    library: 'ioredis',
    single: async ({ port }, more) => {
      const client = quiet(
        new (library.Redis as typeof Redis)({
          host: '127.0.0.1',
          port,
          retryStrategy: () => 50,
          ...base,
          ...more,
        }),
      );
      await new Promise((resolve) => client.once('ready', resolve));
      return { link: linkOf(client), close: () => client.disconnect() };
    },
    cluster: async ({ nodes }, more) => {
      const { keyPrefix } = more ?? {};
      const client = quiet(
        new (library.Cluster as typeof Cluster)(
          nodes.map(({ host, port }) => ({ host, port })),
          { ...base, ...(keyPrefix === undefined ? {} : { keyPrefix }), redisOptions: base },
        ),
      );
      await new Promise((resolve) => client.once('ready', resolve));
      return { link: linkOf(client), close: () => client.disconnect() };
    },
  };
}

const nodeRedis: ClientKind = {
  name: 'node-redis 6',
  library: 'node-redis',
  single: async ({ port }, more) => {
    const client = quiet(
      createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: () => 50 }, ...more }),
    );
    await client.connect();
    return {
      link: linkOf(client),
      close: () => {
        if (client.isOpen) client.destroy();
      },
    };
  },
  cluster: async ({ nodes }, more) => {
    const client = quiet(
      createCluster({ rootNodes: nodes.map(({ host, port }) => ({ socket: { host, port } })), ...more }),
    );
    await client.connect();
    return { link: linkOf(client), close: () => client.destroy() };
  },
};

const valkeyGlide: ClientKind = {
  name: 'Valkey GLIDE 2',
  library: 'valkey-glide',
  single: async ({ port }) => {
    const mine = { addresses: [{ host: '127.0.0.1', port }], requestTimeout: 2_000 };
    const client = await GlideClient.createClient(mine);
    return {
      link: glide(client, { duplicate: (more) => GlideClient.createClient({ ...mine, ...more }) }),
      close: () => client.close(),
    };
  },
  cluster: async ({ nodes }) => {
    const mine = { addresses: nodes.map(({ host, port }) => ({ host, port })), requestTimeout: 2_000 };
    const client = await GlideClusterClient.createClient(mine);
    return {
      link: glide(client, { duplicate: (more) => GlideClusterClient.createClient({ ...mine, ...more }) }),
      close: () => client.close(),
    };
  },
};

/** Every library that the link supports, and the options of ioredis that change how it sends or answers. */
export const clientKinds: readonly ClientKind[] = [
  ioredisKind('ioredis 6', { Redis, Cluster }),
  ioredisKind('ioredis 6, auto-pipelining', { Redis, Cluster }, { enableAutoPipelining: true }),
  ioredisKind('ioredis 6, stringNumbers', { Redis, Cluster }, { stringNumbers: true }),
  ioredisKind('ioredis 5', { Redis: Redis5, Cluster: Cluster5 }),
  nodeRedis,
  valkeyGlide,
];
