import { join } from 'node:path';
import { startEmbeddedPostgres } from '@weir/test-kit/embedded-postgres';
import { Pool, type PoolClient } from 'pg';
import type { ShopConfig } from './config.ts';
import { ShopError } from './errors.ts';
import { afterSeed, migrations } from './migrations.ts';
import { seedStatements } from './seed.ts';

export interface Database {
  readonly pool: Pool;
  /** Waits for running queries, then ends the shop's own server if it has one. */
  close(): Promise<void>;
}

/** Any constant does; every shop on one database must use the same. */
const migrationLock = 7_355_608;

/** Opens a pool on DATABASE_URL, else on an own PostgreSQL below the state directory, and brings the schema up to date. */
export async function openDatabase(
  config: Pick<ShopConfig, 'databaseUrl' | 'stateDirectory'>,
): Promise<Database> {
  const own =
    config.databaseUrl === undefined
      ? await startEmbeddedPostgres({ directory: join(config.stateDirectory, 'postgres') })
      : undefined;
  const pool = new Pool({
    connectionString: config.databaseUrl ?? own?.url,
    max: 10,
    connectionTimeoutMillis: 5000,
    statement_timeout: 10_000,
    application_name: 'weir-shop',
    // A database that others use too keeps its own tables.
    options: '-c search_path=weir_shop',
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {});
  try {
    await migrate(pool);
  } catch (error) {
    await pool.end();
    await own?.stop();
    throw error;
  }
  return {
    pool,
    async close() {
      await pool.end();
      await own?.stop();
    },
  };
}

/** Applies what is missing, each step in one transaction; shops that start at once do it one after the other. */
async function migrate(pool: Pool): Promise<void> {
  const client = await connect(pool);
  try {
    await client.query('set statement_timeout = 0');
    await client.query('select pg_advisory_lock($1)', [migrationLock]);
    await client.query('create schema if not exists weir_shop');
    await client.query('create table if not exists schema_migrations (name text primary key)');
    const applied = await client.query<{ name: string }>('select name from schema_migrations');
    const names = new Set(applied.rows.map((row) => row.name));
    for (const { name, sql } of migrations) {
      if (!names.has(name)) await applyStep(client, name, [sql]);
    }
    if (!names.has('seed')) await applyStep(client, 'seed', [...seedStatements, ...afterSeed]);
  } finally {
    // Ends the session, and with it the lock and the changed timeout.
    client.release(true);
  }
}

async function applyStep(client: PoolClient, name: string, statements: readonly string[]): Promise<void> {
  await client.query('begin');
  try {
    for (const statement of statements) await client.query(statement);
    await client.query('insert into schema_migrations (name) values ($1)', [name]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

async function connect(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (cause) {
    const { host, port } = new URL(pool.options.connectionString ?? '');
    const detail =
      cause instanceof Error && cause.message !== ''
        ? cause.message
        : String((cause as { code?: string }).code);
    throw new ShopError('ERR_WEIR_SHOP_DATABASE', port === '' ? `${host}:5432` : host, detail, { cause });
  }
}
