/**
 * Statement text → its literal-free form, summary and fingerprint. The texts of a program's own statements repeat and are looked up; texts
 * with inlined values never do, so the cache is bounded in entries and in characters.
 */
import { createHash } from 'node:crypto';
import type { Dialect } from './dialect.ts';
import { maskData } from './masks.ts';
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
  /** Is meant to wait, as BLPOP is: its time says nothing, so it is never slow. */
  readonly waits: boolean;
}

const MAX_SHOWN_LENGTH = 4_096;

/** Analyses one statement, of which at most 1,048,576 characters are read. */
export function analyze(text: string, dialect: Dialect): Statement {
  const tokens = maskData(tokenize(text, dialect));
  const normalized = normalize(tokens);
  return Object.freeze({
    text: normalized.length > MAX_SHOWN_LENGTH ? normalized.slice(0, MAX_SHOWN_LENGTH) : normalized,
    summary: summarize(tokens) || 'unknown',
    fingerprint: fingerprintOf(normalized),
    isRead:
      /^(?:select|with)\b/.test(normalized) &&
      !/\bfor (?:update|share|no key update|key share)\b/.test(normalized) &&
      !/\b(?:insert into|update \S+ set|delete from)\b/.test(normalized),
    waits: false,
  });
}

function fingerprintOf(shape: string): string {
  return createHash('sha1').update(shape).digest('hex').slice(0, 16);
}

/** The statement of a command that is no SQL; `shape` must be free of values. */
export function namedStatement(summary: string, shape: string = summary, waits = false): Statement {
  return Object.freeze({
    text: shape.slice(0, MAX_SHOWN_LENGTH),
    summary,
    fingerprint: fingerprintOf(shape),
    isRead: false,
    waits,
  });
}

/** Texts up to this length are kept in one memory, longer ones in another: a flood of the latter displaces none of the former. */
const MAX_SHORT_LENGTH = 4_096;
const MAX_ENTRIES = 1_000;
/** Of all long texts together. */
const MAX_LONG_CHARACTERS = 4_194_304;

/** A bounded memory of what is made of statements' texts, the oldest leaving first. */
export class StatementCache<T> {
  readonly #make: (text: string) => T;
  readonly #short = new Map<string, T>();
  readonly #long = new Map<string, T>();
  #longCharacters = 0;

  constructor(make: (text: string) => T) {
    this.#make = make;
  }

  /** Texts that are remembered. */
  get size(): number {
    return this.#short.size + this.#long.size;
  }

  /** Characters of the texts above 4,096 characters that are remembered. */
  get longCharacters(): number {
    return this.#longCharacters;
  }

  get(text: string): T {
    const isShort = text.length <= MAX_SHORT_LENGTH;
    const known = (isShort ? this.#short : this.#long).get(text);
    if (known !== undefined) return known;
    const made = this.#make(text);
    if (isShort) {
      if (this.#short.size >= MAX_ENTRIES) this.#short.delete(this.#short.keys().next().value as string);
      this.#short.set(text, made);
    } else if (text.length <= MAX_LONG_CHARACTERS) this.#keepLong(text, made);
    return made;
  }

  #keepLong(text: string, made: T): void {
    this.#longCharacters += text.length;
    for (const oldest of this.#long.keys()) {
      if (this.#longCharacters <= MAX_LONG_CHARACTERS) break;
      this.#long.delete(oldest);
      this.#longCharacters -= oldest.length;
    }
    this.#long.set(text, made);
  }
}
