import { RedisError } from './errors.ts';
import { type GlideConnection, glide } from './glide.ts';
import { type IoredisClient, IoredisLink } from './ioredis.ts';
import type { RedisLink } from './link.ts';
import { type NodeRedisClient, type NodeRedisCluster, NodeRedisLink } from './node-redis.ts';

/** A client of the caller's, from any of the libraries that this package knows, or a link. */
export type RedisClient = IoredisClient | NodeRedisClient | NodeRedisCluster | GlideConnection | RedisLink;

// One link a client, also where two copies of this package are installed: its listeners and the scripts already sent.
const registry = Symbol.for('weir.redis-link.1');

function links(): WeakMap<object, RedisLink> {
  const globals = globalThis as { [registry]?: WeakMap<object, RedisLink> };
  globals[registry] ??= new WeakMap();
  return globals[registry];
}

/**
 * The link over a client: an ioredis 5 or 6 `Redis` or `Cluster`, a node-redis client or cluster, or a Valkey GLIDE client.
 * The same client always has the same link. A link is returned as it is.
 *
 * @throws {RedisError} `ERR_WEIR_REDIS_INVALID_CLIENT` for anything else.
 */
export function linkOf(client: RedisClient): RedisLink {
  if (typeof client !== 'object' || client === null) throw invalidClient(client);
  if ('weirRedisLink' in client) return client;
  const known = links().get(client);
  if (known !== undefined) return known;
  const link = createLink(client);
  links().set(client, link);
  return link;
}

function createLink(client: Exclude<RedisClient, RedisLink>): RedisLink {
  if ('callBuffer' in client) return new IoredisLink(client);
  if ('customCommand' in client) return glide(client);
  if ('sendCommand' in client && 'isOpen' in client) return new NodeRedisLink(client);
  throw invalidClient(client);
}

function invalidClient(got: unknown): RedisError {
  const shown =
    typeof got === 'object' && got !== null ? `an instance of ${got.constructor?.name}` : String(got);
  return new RedisError(
    'ERR_WEIR_REDIS_INVALID_CLIENT',
    `Expected a client of ioredis, node-redis or Valkey GLIDE, got ${shown}. Pass the client itself, not its options or URL.`,
  );
}
