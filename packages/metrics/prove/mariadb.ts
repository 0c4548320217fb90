/**
 * `prove:mariadb`: times queries of mysql2 on a real MariaDB, checks that nothing of a secret leaves, and that an N+1 is found through a pool of
 * one. Needs `mariadbd`, named by MARIADBD or on the PATH or in /usr/sbin (Debian: mariadb-server-core).
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createMetrics, type NPlusOneEvent, type SlowQueryEvent } from '@weir/metrics';
import mysql from 'mysql2/promise';

const directory = mkdtempSync(join(tmpdir(), 'weir-mariadb-'));
const socketPath = join(directory, 'socket');
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
const user = process.getuid?.() === 0 ? ['--user=root'] : [];
mkdirSync(join(directory, 'data'));
// Reached by a socket in a directory of its own only, so that no tables of privileges are needed.
const server = spawn(
  process.env.MARIADBD ?? 'mariadbd',
  [
    '--no-defaults',
    `--datadir=${directory}/data`,
    `--socket=${socketPath}`,
    '--skip-networking',
    '--skip-grant-tables',
    ...user,
  ],
  { env, stdio: 'ignore' },
);

const slow: SlowQueryEvent[] = [];
const found: NPlusOneEvent[] = [];
const metrics = createMetrics({
  service: 'prove',
  runtime: false,
  db: { slowQueryMs: 0, onSlowQuery: (event) => slow.push(event), onNPlusOne: (event) => found.push(event) },
});
const pool = metrics.instrument(mysql.createPool({ socketPath, user: 'root', connectionLimit: 1 }), {
  name: 'maria',
});

async function untilUp(): Promise<void> {
  for (let attempt = 0; attempt < 150; attempt += 1) {
    try {
      await pool.query('SELECT 1');
      return;
    } catch {
      await delay(200);
    }
  }
  throw new Error('MariaDB did not come up within 30 s.');
}

try {
  await untilUp();
  await pool.query('CREATE DATABASE shop');
  await pool.query('CREATE TABLE shop.users (id int primary key, token text)');
  const forms = [
    "'s3cr3t'",
    '"s3cr3t"',
    "'a\\'s3cr3t'",
    '"a""s3cr3t"',
    "_utf8mb4's3cr3t'",
    "N's3cr3t'",
    "'a' 's3cr3t'",
    "'x' /* s3cr3t */",
    "'x' # s3cr3t\n",
    "'x' -- s3cr3t\n",
    "x'0a' /*! , 's3cr3t' */",
  ];
  for (const [index, form] of forms.entries()) {
    const text = form.startsWith('x')
      ? `SELECT ${form}`
      : `INSERT INTO shop.users VALUES (${index}, ${form})`;
    await pool.query(text);
  }
  await pool.query('SELECT * FROM shop.users WHERE token = ?', ['s3cr3t']);
  await pool.execute('SELECT * FROM shop.users WHERE token = ?', ['s3cr3t']);
  const request = metrics.http.begin('GET');
  request.route = '/users';
  await metrics.http.run(request, async () => {
    for (let id = 0; id < 12; id += 1) await pool.execute('SELECT token FROM shop.users WHERE id = ?', [id]);
  });
  metrics.http.end(request, { statusCode: 200 });
  const { body } = await metrics.scrape();
  assert.ok(
    !(body + JSON.stringify(slow) + JSON.stringify(found)).includes('s3cr3t'),
    'a secret left the process',
  );
  assert.equal(found.length, 1);
  assert.match(body, /db_system_name="mariadb",db_query_summary="INSERT shop\.users"/);
  console.log(
    `mariadb: ${forms.length} literal forms hidden, ${slow.length} statements timed, N+1 found at ${found[0]?.callSite?.split('/').at(-1)}`,
  );
} finally {
  await pool.end();
  server.kill('SIGTERM');
  await new Promise((resolve) => server.once('exit', resolve));
  rmSync(directory, { recursive: true, force: true });
  await metrics.close();
}
