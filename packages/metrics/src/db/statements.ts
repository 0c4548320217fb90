/**
 * Statement text → its literal-free form, summary and fingerprint. The texts of a program's own statements repeat and are looked up; texts
 * with inlined values never do, so the cache is bounded in entries and in characters.
 */
import { createHash } from 'node:crypto';
import type { Dialect } from './dialect.ts';
import { normalize } from './normalize.ts';
import { summarize } from './summary.ts';
import { tokenize } from './tokenizer.ts';

/** What may be said of a statement outside the process: nothing here holds a literal. */
export interface Statement {
  /** The statement without literals, cut at 4,096 characters. */
  readonly text: string;
  /** `db.query.summary`. */
  readonly summary: string;
  /** First 64 bits of SHA-1 over the literal-free text, in hexadecimal. */
  readonly fingerprint: string;
  /** Reads only: a SELECT without locks. */
  readonly isRead: boolean;
  /** Walks a result in pages: ORDER BY with LIMIT, or an OFFSET. */
  readonly isPaged: boolean;
}

const MAX_ENTRIES = 1_000;
const MAX_CACHED_LENGTH = 4_096;
const MAX_ANALYSED_LENGTH = 65_536;

/** Analyses one statement. Texts above 65,536 characters are cut first; a literal that is cut stays hidden. */
export function analyze(text: string, dialect: Dialect): Statement {
  const tokens = tokenize(
    text.length > MAX_ANALYSED_LENGTH ? text.slice(0, MAX_ANALYSED_LENGTH) : text,
    dialect,
  );
  const normalized = normalize(tokens);
  return Object.freeze({
    text: normalized.length > 4_096 ? normalized.slice(0, 4_096) : normalized,
    summary: summarize(tokens) || 'unknown',
    fingerprint: createHash('sha1').update(normalized).digest('hex').slice(0, 16),
    isRead:
      /^(?:select|with)\b/.test(normalized) &&
      !/\bfor (?:update|share|no key update|key share)\b/.test(normalized) &&
      !/\b(?:insert into|update \S+ set|delete from)\b/.test(normalized),
    isPaged:
      (/\blimit\b|\bfetch first\b/.test(normalized) && /\border by\b/.test(normalized)) ||
      /\boffset\b/.test(normalized),
  });
}

/** The statement of a command that is no SQL; `shape` must be free of values. */
export function namedStatement(summary: string, shape: string = summary): Statement {
  return Object.freeze({
    text: shape.slice(0, MAX_CACHED_LENGTH),
    summary,
    fingerprint: createHash('sha1').update(shape).digest('hex').slice(0, 16),
    isRead: false,
    isPaged: false,
  });
}

/** A bounded memory of what is made of statements' texts, the oldest leaving first. */
export class StatementCache<T> {
  readonly #make: (text: string) => T;
  readonly #byText = new Map<string, T>();

  constructor(make: (text: string) => T) {
    this.#make = make;
  }

  get size(): number {
    return this.#byText.size;
  }

  get(text: string): T {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    const made = this.#make(text);
    if (text.length > MAX_CACHED_LENGTH) return made;
    if (this.#byText.size >= MAX_ENTRIES) this.#byText.delete(this.#byText.keys().next().value as string);
    this.#byText.set(text, made);
    return made;
  }
}
