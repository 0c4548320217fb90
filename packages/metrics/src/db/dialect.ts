/**
 * The lexical rules in which SQL databases differ: to hide a literal one must know where it ends. A setting that the session may change and the
 * driver does not report is `unknown`; a statement is then read only as far as every setting reads it alike.
 */

/** SQL products by their `db.system.name`. */
export type SqlSystem = 'postgresql' | 'mysql' | 'mariadb' | 'sqlite';

/** Whether a backslash escapes the character after it in `'…'`: by `standard_conforming_strings` or NO_BACKSLASH_ESCAPES. */
export type Escapes = 'always' | 'never' | 'unknown';

/** The rules of one product under one setting of its session. */
export interface Dialect {
  readonly system: SqlSystem;
  readonly escapes: Escapes;
  /** `"…"` is a string or, under ANSI_QUOTES, a name, which only the server knows (MySQL: `string`); a name; or either (SQLite). */
  readonly doubleQuotes: 'string' | 'name' | 'either';
  /** `` `…` `` is a name. */
  readonly backticks: boolean;
  /** `[…]` is a name (SQLite), an element of an array (PostgreSQL), or invalid (MySQL). */
  readonly brackets: 'name' | 'array' | 'none';
  /** `$tag$…$tag$` and `E'…'` are strings, and an operator is the longest run of operator characters. */
  readonly isPostgres: boolean;
  /** Block comments nest. Without it, a comment in a comment hides the rest of the text. */
  readonly nestedComments: boolean;
  /** `#` begins a comment, `--` only before white space, and comments that begin `/*!` may be run (MySQL). */
  readonly isMysql: boolean;
}

type Rules = Omit<Dialect, 'system' | 'escapes'>;

const postgres: Rules = {
  doubleQuotes: 'name',
  backticks: false,
  brackets: 'array',
  isPostgres: true,
  nestedComments: true,
  isMysql: false,
};

const mysql: Rules = {
  doubleQuotes: 'string',
  backticks: true,
  brackets: 'none',
  isPostgres: false,
  nestedComments: false,
  isMysql: true,
};

const sqlite: Rules = {
  doubleQuotes: 'either',
  backticks: true,
  brackets: 'name',
  isPostgres: false,
  nestedComments: false,
  isMysql: false,
};

type ByEscapes = Readonly<Record<Escapes, Dialect>>;

function bySetting(system: SqlSystem, rules: Rules): ByEscapes {
  const make = (escapes: Escapes): Dialect => Object.freeze({ system, escapes, ...rules });
  return Object.freeze({ always: make('always'), never: make('never'), unknown: make('unknown') });
}

/** Dialects of the products whose session settings decide where a string ends. */
export const sessions: Readonly<Record<'postgresql' | 'mysql' | 'mariadb', ByEscapes>> = Object.freeze({
  postgresql: bySetting('postgresql', postgres),
  mysql: bySetting('mysql', mysql),
  mariadb: bySetting('mariadb', mysql),
});

/** The dialect of each product while its session's settings are unknown. */
export const dialects: Readonly<Record<SqlSystem, Dialect>> = Object.freeze({
  postgresql: sessions.postgresql.unknown,
  mysql: sessions.mysql.unknown,
  mariadb: sessions.mariadb.unknown,
  sqlite: Object.freeze({ system: 'sqlite', escapes: 'never', ...sqlite }),
});

/**
 * The dialect in which `text` may be read before the session that runs it is known; `guess` is that of another session of the same pool. Sessions
 * differ only in how they read backslashes.
 */
export function dialectBeforeSession(guess: Dialect, text: string): Dialect {
  return text.includes('\\') ? dialects[guess.system] : guess;
}

/** SQLite that reads `"…"` as a name and never as a string. */
export const sqliteWithNames: Dialect = Object.freeze({ ...dialects.sqlite, doubleQuotes: 'name' });
