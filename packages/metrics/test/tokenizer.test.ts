import { DatabaseSync } from 'node:sqlite';
import { startMariadb, startPostgres } from '@weir/test-kit';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { type Dialect, dialects, sessions, sqliteWithNames } from '../src/db/dialect.ts';
import { analyze } from '../src/db/statements.ts';
import { tokenize } from '../src/db/tokenizer.ts';
import { DIGITS, foreign, grammars, MARK, statements } from './statement-generator.ts';

const COUNT = 200;

type GrammarName = keyof typeof grammars;

/** Each grammar with the dialect of its session, and with dialects of unknown settings. */
const cases: Readonly<Record<GrammarName, { readonly knows: Dialect; readonly others: readonly Dialect[] }>> =
  {
    postgresql: { knows: sessions.postgresql.never, others: [dialects.postgresql] },
    'postgresql with standard_conforming_strings off': {
      knows: sessions.postgresql.always,
      others: [dialects.postgresql],
    },
    mysql: { knows: sessions.mysql.always, others: [dialects.mysql] },
    'mysql with NO_BACKSLASH_ESCAPES': { knows: sessions.mysql.never, others: [dialects.mysql] },
    'mysql with ANSI_QUOTES': { knows: sessions.mysql.always, others: [dialects.mysql] },
    sqlite: { knows: sqliteWithNames, others: [dialects.sqlite] },
  };

function leaks(text: string, dialect: Dialect): string[] {
  const { text: shown, summary } = analyze(text, dialect);
  return [shown, summary].filter((told) => told.includes(MARK) || told.includes(DIGITS));
}

describe.each(Object.keys(cases) as GrammarName[])('%s', (name) => {
  const { knows, others } = cases[name];

  test('generated statements keep every literal and comment to themselves, whole or cut off anywhere', () => {
    const found: string[] = [];
    for (const [text] of statements(grammars[name], 1, COUNT)) {
      for (const dialect of [knows, ...others]) {
        for (let at = text.length; at > 0; at -= 13)
          if (leaks(text.slice(0, at), dialect).length > 0) found.push(text.slice(0, at));
      }
    }
    expect(found).toEqual([]);
  });

  test('generated statements have one fingerprint whatever their literals, blanks, comments and spellings', () => {
    const differing: string[][] = [];
    const fingerprints = new Set<string>();
    for (const [one, other] of statements(grammars[name], 2, COUNT)) {
      expect(tokenize(one, knows).at(-1)?.kind, one).not.toBe('hidden');
      const [first, second] = [analyze(one, knows), analyze(other, knows)];
      fingerprints.add(first.fingerprint);
      if (first.fingerprint !== second.fingerprint) differing.push([one, other, first.text, second.text]);
    }
    expect(differing).toEqual([]);
    expect(fingerprints.size).toBeGreaterThan(COUNT / 3);
  });
});

test.each(
  Object.keys(foreign).flatMap((name) =>
    [...Object.values(cases).flatMap(({ knows, others }) => [knows, ...others])].map(
      (dialect) => [name as keyof typeof foreign, dialect.system, dialect.escapes, dialect] as const,
    ),
  ),
)('%s read as %s with escapes %s keeps every literal to itself', (name, _system, _escapes, dialect) => {
  const found: string[] = [];
  for (const [text] of statements(foreign[name], 4, COUNT))
    if (leaks(text, dialect).length > 0) found.push(`${text}\n=> ${leaks(text, dialect)[0]}`);
  expect(found).toEqual([]);
});

describe('the products themselves', () => {
  /** Statements of a grammar that `reject` refuses as invalid for its product. */
  async function invalid(
    name: GrammarName,
    reject: (text: string) => Promise<string | undefined>,
  ): Promise<string[]> {
    const found: string[] = [];
    for (const [text] of statements(grammars[name], 3, 150)) {
      const error = await reject(text);
      if (error !== undefined) found.push(`${error}: ${text}`);
    }
    return found;
  }

  test('PostgreSQL finds no syntax error in the generated statements', async () => {
    const server = await startPostgres();
    const client = new pg.Client(server.url);
    await client.connect();
    const reject = (text: string): Promise<string | undefined> =>
      client.query(`PREPARE p AS ${text}`).then(
        () => client.query('DEALLOCATE p').then(() => undefined),
        // 42601 is a syntax error; every other code concerns the statement's meaning.
        (error: pg.DatabaseError) => (error.code === '42601' ? error.message : undefined),
      );
    expect(await invalid('postgresql', reject)).toEqual([]);
    await client.query(
      'SET standard_conforming_strings = off; SET backslash_quote = on; SET escape_string_warning = off',
    );
    expect(await invalid('postgresql with standard_conforming_strings off', reject)).toEqual([]);
    await client.end();
    await server.stop();
  });

  test('MariaDB finds no syntax error in the generated statements, by each sql_mode', async () => {
    const server = await startMariadb();
    const connection = await mysql.createConnection({ socketPath: server.socketPath, user: 'root' });
    await connection.query('CREATE DATABASE generated');
    await connection.query('USE generated');
    const reject = (text: string): Promise<string | undefined> =>
      connection.prepare(text).then(
        async (statement) => {
          await statement.close();
          return undefined;
        },
        (error: { readonly errno: number; readonly message: string }) =>
          error.errno === 1064 ? error.message : undefined,
      );
    for (const [mode, name] of [
      ['', 'mysql'],
      ['NO_BACKSLASH_ESCAPES', 'mysql with NO_BACKSLASH_ESCAPES'],
      ['ANSI_QUOTES', 'mysql with ANSI_QUOTES'],
    ] as const) {
      await connection.query('SET sql_mode = ?', [mode]);
      expect(await invalid(name, reject)).toEqual([]);
    }
    await connection.end();
    await server.stop();
  });

  test('SQLite finds no syntax error in the generated statements', async () => {
    const database = new DatabaseSync(':memory:');
    const reject = async (text: string): Promise<string | undefined> => {
      try {
        database.prepare(text);
        return undefined;
      } catch (error) {
        return /syntax error|unrecognized token|incomplete/.exec(String(error))?.[0];
      }
    };
    expect(await invalid('sqlite', reject)).toEqual([]);
  });
});
