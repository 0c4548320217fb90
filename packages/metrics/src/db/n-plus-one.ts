/**
 * N+1 detection: one request runs the same read from the same place at least `threshold` times with different values.
 *
 * Left out, because they are no N+1: writes and locking reads (queues), pages of one result (only what pages through it differs), reads of at
 * least ten values at a time (chunks), the same values again (polls, retries, missing memoisation), and the same statement from different
 * places.
 */
import { createHash } from 'node:crypto';
import type { HttpExchange } from '../http/recorder.ts';
import { callSite } from './call-site.ts';
import { keyOf, listLengthOf, type Selection } from './selection.ts';
import type { Statement } from './statements.ts';

/** A read, and how its values are told apart. */
export interface Read {
  readonly statement: Statement;
  /** Made when it is first asked for. */
  readonly selection: Selection;
}

/** How often one statement ran in one request. */
export interface StatementRepetition {
  /** The first execution, whose stack was not taken, and its values. */
  readonly read: Read;
  readonly values: unknown;
  sites: Map<string, Set<string>> | undefined;
  count: number;
  reported: boolean;
}

/** One finding, given to `onNPlusOne` once a request and statement. */
export interface NPlusOneEvent {
  readonly route: string | undefined;
  readonly summary: string;
  readonly fingerprint: string;
  /** The statement without literals. */
  readonly statement: string;
  /** Executions so far, from this place. */
  readonly count: number;
  /** `file:line:column` of the caller's own code, where the stack shows it. */
  readonly callSite: string | undefined;
  /** What to write instead. */
  readonly suggestion: string;
}

/** Statements followed in one request; beyond it new ones are not looked at. */
const MAX_STATEMENTS = 200;
/** A read of as many values at a time is what we advise, however often it runs. */
const CHUNK = 10;
const MAX_KEY_LENGTH = 200;

/** Follows repetitions within requests. */
export class NPlusOneDetector {
  readonly #threshold: number;
  readonly #report: (event: NPlusOneEvent) => void;

  constructor(threshold: number, report: (event: NPlusOneEvent) => void) {
    this.#threshold = threshold;
    this.#report = report;
  }

  /**
   * Call synchronously where the query is made: the stack is read there from the second execution on. `values` are those of its placeholders
   * as the driver got them: a list, an object by name, or one value.
   */
  observe(exchange: HttpExchange, read: Read, values: unknown): void {
    const { statement } = read;
    if (!statement.isRead) return;
    exchange.statements ??= new Map();
    const repetitions = exchange.statements;
    const known = repetitions.get(statement.fingerprint);
    if (known === undefined) {
      if (repetitions.size >= MAX_STATEMENTS) return;
      repetitions.set(statement.fingerprint, {
        read,
        values,
        sites: undefined,
        count: 1,
        reported: false,
      });
      return;
    }
    known.count += 1;
    if (known.reported) return;
    if (listLengthOf(read.selection, values) >= CHUNK) return;
    const site = callSite() ?? '';
    known.sites ??= new Map();
    let different = known.sites.get(site);
    if (different === undefined) {
      if (known.sites.size >= this.#threshold) return;
      different = new Set();
      known.sites.set(site, different);
    }
    if (different.size === 0) different.add(keyOfRead(known.read, known.values));
    different.add(keyOfRead(read, values));
    if (different.size < this.#threshold) return;
    known.reported = true;
    this.#report({
      route: exchange.template,
      summary: statement.summary,
      fingerprint: statement.fingerprint,
      statement: statement.text,
      count: known.count,
      callSite: site || undefined,
      suggestion: suggest(statement),
    });
  }
}

// Lives as long as the request and never leaves it.
function keyOfRead({ selection }: Read, values: unknown): string {
  const key = keyOf(selection, values);
  return key.length > MAX_KEY_LENGTH ? createHash('sha1').update(key).digest('base64') : key;
}

function suggest(statement: Statement): string {
  const column = /\bwhere\b.*?([\w."]+) = \?/.exec(statement.text)?.[1];
  const condition =
    column === undefined
      ? 'the values of all rows at once'
      : `\`${column} = ANY($1)\` with all values at once`;
  return `Run it once before the loop: ask for ${condition}, or join the table in the query that feeds the loop.`;
}
