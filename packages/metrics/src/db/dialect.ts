/** Where the lexical rules of SQL databases differ; a literal can only be hidden by one who knows where it ends. */
export interface Dialect {
  /** `"…"` is a string (MySQL), an identifier (PostgreSQL), or either, by where it stands (SQLite). */
  readonly doubleQuotes: 'string' | 'identifier' | 'either';
  /** A backslash escapes in every `'…'`; PostgreSQL does so in `E'…'` only. */
  readonly backslashEscapes: boolean;
  readonly dollarQuotes: boolean;
  readonly nestedComments: boolean;
  readonly hashComments: boolean;
  /** `--` begins a comment only before white space (MySQL). */
  readonly dashNeedsSpace: boolean;
  readonly brackets: boolean;
}

const postgresql: Dialect = Object.freeze({
  doubleQuotes: 'identifier',
  backslashEscapes: false,
  dollarQuotes: true,
  nestedComments: true,
  hashComments: false,
  dashNeedsSpace: false,
  brackets: false,
});

const mysql: Dialect = Object.freeze({
  doubleQuotes: 'string',
  backslashEscapes: true,
  dollarQuotes: false,
  nestedComments: false,
  hashComments: true,
  dashNeedsSpace: true,
  brackets: false,
});

const sqlite: Dialect = Object.freeze({
  doubleQuotes: 'either',
  backslashEscapes: false,
  dollarQuotes: false,
  nestedComments: false,
  hashComments: false,
  dashNeedsSpace: false,
  brackets: true,
});

/** SQL products by their `db.system.name`. */
export type SqlSystem = 'postgresql' | 'mysql' | 'mariadb' | 'sqlite';

/** The dialect of each product. */
export const dialects: Readonly<Record<SqlSystem, Dialect>> = Object.freeze({
  postgresql,
  mysql,
  mariadb: mysql,
  sqlite,
});
