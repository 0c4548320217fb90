import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { reachableTemporary } from './reachable-directory.ts';

/** A PostgreSQL database of one's own, with the extension `pg_stat_statements` where the server has it loaded. */
export interface PostgresDatabase {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * A fresh database in the server that DATABASE_URL names, dropped by `stop`; without DATABASE_URL a server of one's own, gone
 * with its data after `stop`.
 */
export async function startPostgres(): Promise<PostgresDatabase> {
  const given = process.env.DATABASE_URL;
  return given === undefined || given === '' ? await startOwn() : await createIn(given);
}

async function startOwn(): Promise<PostgresDatabase> {
  const directory = mkdtempSync(join(reachableTemporary(), 'weir-postgres-'));
  try {
    const server = await startEmbeddedPostgres({ directory, durable: false });
    await query(server.url, 'create extension pg_stat_statements');
    return {
      url: server.url,
      async stop() {
        await server.stop();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

async function createIn(serverUrl: string): Promise<PostgresDatabase> {
  const name = `weir_test_${randomBytes(6).toString('hex')}`;
  await query(serverUrl, `create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  // Not every server lets everyone create it, and only tests that read it need it.
  await query(url.href, 'create extension if not exists pg_stat_statements').catch(() => {});
  return { url: url.href, stop: () => query(serverUrl, `drop database if exists ${name} with (force)`) };
}

async function query(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
