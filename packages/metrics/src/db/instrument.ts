/**
 * `metrics.instrument(client)`: recognises the driver of a client by its shape, so no driver is imported, and wraps the client once.
 *
 * The wrappers record to the client's owner, which is the `createMetrics` that instrumented it last. A pool that outlives its metrics, over a hot
 * reload, thus moves to the next ones and counts once.
 */
import { metricsError } from '../errors.ts';
import type { Clock } from '../registry.ts';
import type { InstrumentContext, Queries, WaitSeries } from './driver.ts';
import { instrumentMongo, isMongoClient } from './mongodb.ts';
import { instrumentMysqlConnection, instrumentMysqlPool, isMysqlPool, mysqlCore } from './mysql2.ts';
import { instrumentPgClient, instrumentPgPool, isPgClient, isPgPool } from './pg.ts';
import { instrumentPglite, isPglite } from './pglite.ts';
import type { PoolRecorder, PoolState } from './pool-recorder.ts';
import type { QueryRecorder } from './query-recorder.ts';
import { instrumentRedis, isRedisClient } from './redis.ts';
import { instrumentSqlite, isSqliteDatabase } from './sqlite.ts';

/** What one `createMetrics` records a client with. */
export interface Recorders {
  /** Name of the pool. */
  readonly name: string;
  readonly queries: QueryRecorder;
  readonly pools: PoolRecorder;
  readonly clock: Clock;
}

const owners = new WeakMap<object, ClientOwner>();

/** Times the queries of `client` for `recorders`, until other recorders instrument it. Throws ERR_WEIR_METRICS_INVALID_CLIENT for an unknown client. */
export function instrument(client: object, recorders: Recorders): void {
  const mysql = mysqlCore(client);
  const key = mysql ?? client;
  const known = owners.get(key);
  if (known !== undefined) {
    known.moveTo(recorders);
    return;
  }
  const owner = new ClientOwner(recorders);
  wrap(client, mysql, owner);
  owners.set(key, owner);
}

function wrap(client: object, mysql: object | undefined, context: InstrumentContext): void {
  if (isPgPool(client)) instrumentPgPool(client, context);
  else if (isPgClient(client)) instrumentPgClient(client, context);
  else if (mysql !== undefined && isMysqlPool(mysql)) instrumentMysqlPool(mysql, context);
  else if (mysql !== undefined) instrumentMysqlConnection(mysql, context);
  else if (isPglite(client)) instrumentPglite(client, context);
  else if (isMongoClient(client)) instrumentMongo(client, context);
  else if (isRedisClient(client)) instrumentRedis(client, context);
  else if (isSqliteDatabase(client)) instrumentSqlite(client, context);
  else if (isKnex(client)) instrumentKnex(client, context);
  else throw metricsError('ERR_WEIR_METRICS_INVALID_CLIENT');
}

interface KnexLike {
  readonly client: { readonly driverName: string; acquireRawConnection(): Promise<object> };
}

function isKnex(client: object): client is KnexLike {
  const inner = (client as { readonly client?: { readonly acquireRawConnection?: unknown } }).client;
  return typeof inner?.acquireRawConnection === 'function';
}

// knex pools raw driver connections itself; each is wrapped when it is opened.
function instrumentKnex({ client }: KnexLike, queries: Queries): void {
  const acquire = client.acquireRawConnection.bind(client);
  client.acquireRawConnection = async () => {
    const connection = await acquire();
    const mysql = mysqlCore(connection);
    if (mysql !== undefined) instrumentMysqlConnection(mysql, queries);
    else if (isPgClient(connection)) instrumentPgClient(connection, queries);
    else if (isSqliteDatabase(connection)) instrumentSqlite(connection, queries);
    return connection;
  };
}

/** Forwards what one client does to its current owner. An execution ends with the recorder that began it. */
class ClientOwner implements InstrumentContext {
  #recorders: Recorders;
  #followPool: ((recorders: Recorders) => WaitSeries) | undefined;
  #wait: WaitSeries | undefined;
  readonly clock: Clock = { now: () => this.#recorders.clock.now() };

  constructor(recorders: Recorders) {
    this.#recorders = recorders;
  }

  /** Makes `recorders` the owner. */
  moveTo(recorders: Recorders): void {
    if (recorders.queries === this.#recorders.queries) return;
    this.#recorders = recorders;
    this.#wait = this.#followPool?.(recorders);
  }

  followPool<T extends object>(pool: T, read: (pool: T) => PoolState): WaitSeries {
    const ref = new WeakRef(pool);
    this.#followPool = (recorders) => {
      const live = ref.deref();
      if (live === undefined) return { observe: () => {} };
      // The previous owner drops the pool when it reads no state.
      const readOwned = (owned: T): PoolState | undefined =>
        this.#recorders === recorders ? read(owned) : undefined;
      return recorders.pools.add(recorders.name, live, readOwned);
    };
    this.#wait = this.#followPool(this.#recorders);
    return { observe: (seconds) => this.#wait?.observe(seconds) };
  }

  prepare(...args: Parameters<Queries['prepare']>): ReturnType<Queries['prepare']> {
    return this.#recorders.queries.prepare(...args);
  }

  begin(...args: Parameters<Queries['begin']>): ReturnType<Queries['begin']> {
    return this.#recorders.queries.begin(...args);
  }

  beginStatement(...args: Parameters<Queries['beginStatement']>): ReturnType<Queries['beginStatement']> {
    return this.#recorders.queries.beginStatement(...args);
  }

  bind<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void {
    return this.#recorders.queries.bind(callback);
  }
}
