/** Finds out which driver a client is of, by its shape: no driver is imported, so none has to be installed. */
import { metricsError } from '../errors.ts';
import { ClientOwner, type InstrumentContext, type Queries, type Recorders } from './client-owner.ts';
import { instrumentMongo, isMongoClient } from './mongodb.ts';
import { instrumentMysqlConnection, instrumentMysqlPool, isMysqlPool, mysqlCore } from './mysql2.ts';
import { instrumentPgClient, instrumentPgPool, isPgClient, isPgPool } from './pg.ts';
import { instrumentPglite, isPglite } from './pglite.ts';
import { instrumentRedis, isRedisClient } from './redis.ts';
import { instrumentSqlite, isSqliteDatabase } from './sqlite.ts';

const owners = new WeakMap<object, ClientOwner>();

/**
 * Times the queries of `client` for `recorders`, from which the next call for the same client takes it over. Throws ERR_WEIR_METRICS_CLIENT for what it
 * does not know.
 */
export function instrument(client: object, recorders: Recorders): void {
  const mysql = mysqlCore(client);
  const key = mysql ?? client;
  const known = owners.get(key);
  if (known !== undefined) {
    known.take(recorders);
    return;
  }
  const owner = new ClientOwner(recorders);
  wrap(client, mysql, owner.context);
  owners.set(key, owner);
}

function wrap(client: object, mysql: object | undefined, context: InstrumentContext): void {
  const { queries } = context;
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
