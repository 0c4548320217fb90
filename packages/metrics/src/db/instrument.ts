/** Finds out which driver a client is of, by its shape: no driver is imported, so none has to be installed. */
import { metricsError } from '../errors.ts';
import { instrumentMongo, isMongoClient } from './mongodb.ts';
import { instrumentMysqlConnection, instrumentMysqlPool, isMysqlPool, mysqlCore } from './mysql2.ts';
import { instrumentPgClient, instrumentPgPool, isPgClient, isPgPool } from './pg.ts';
import { instrumentPglite, isPglite } from './pglite.ts';
import type { PoolRecorder } from './pool-recorder.ts';
import type { QueryRecorder } from './query-recorder.ts';
import { instrumentRedis, isRedisClient } from './redis.ts';
import { instrumentSqlite, isSqliteDatabase } from './sqlite.ts';

/** What the instrumentation of any driver needs. */
export interface InstrumentContext {
  /** Name of the pool. */
  readonly name: string;
  readonly queries: QueryRecorder;
  readonly pools: PoolRecorder;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Times the queries of `client`. Throws ERR_WEIR_METRICS_CLIENT for what it does not know. */
export function instrument(client: object, context: InstrumentContext): void {
  const { queries } = context;
  const mysql = mysqlCore(client);
  if (isPgPool(client)) instrumentPgPool(client, context);
  else if (isPgClient(client)) instrumentPgClient(client, queries);
  else if (mysql !== undefined && isMysqlPool(mysql)) instrumentMysqlPool(mysql, context);
  else if (mysql !== undefined) instrumentMysqlConnection(mysql, queries);
  else if (isPglite(client)) instrumentPglite(client, queries);
  else if (isMongoClient(client)) instrumentMongo(client, context);
  else if (isRedisClient(client)) instrumentRedis(client, queries);
  else if (isSqliteDatabase(client)) instrumentSqlite(client, queries);
  else if (isKnex(client)) instrumentKnex(client, queries);
  else throw metricsError('ERR_WEIR_METRICS_CLIENT');
}

interface KnexLike {
  readonly client: { readonly driverName: string; acquireRawConnection(): Promise<object> };
}

function isKnex(client: object): client is KnexLike {
  const inner = (client as { readonly client?: { readonly acquireRawConnection?: unknown } }).client;
  return typeof inner?.acquireRawConnection === 'function';
}

// knex pools raw driver connections itself; each is wrapped when it is opened.
function instrumentKnex({ client }: KnexLike, queries: QueryRecorder): void {
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
