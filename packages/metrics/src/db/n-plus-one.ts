/**
 * N+1 detection: one request runs the same read from the same place at least `threshold` times with different values.
 *
 * Left out, because they are no N+1: writes and locking reads (queues), reads in pages (ORDER BY … LIMIT, OFFSET), the same values again
 * (polls, retries, missing memoisation), and the same statement from different places.
 */
import type { HttpExchange } from '../http/recorder.ts';
import { callSite } from './call-site.ts';
import type { Statement } from './statements.ts';

/** How often one statement ran in one request. */
export interface StatementRepetition {
  readonly sites: Map<string, Set<string>>;
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

/** Follows repetitions within requests. */
export class NPlusOneDetector {
  readonly #threshold: number;
  readonly #report: (event: NPlusOneEvent) => void;

  constructor(threshold: number, report: (event: NPlusOneEvent) => void) {
    this.#threshold = threshold;
    this.#report = report;
  }

  /** Call synchronously where the query is made: the stack is read there from the second execution on. */
  observe(
    exchange: HttpExchange,
    statement: Statement,
    values: readonly unknown[] | undefined,
    text: string,
  ): void {
    if (!statement.isRead || statement.isPaged) return;
    exchange.statements ??= new Map();
    const repetitions = exchange.statements;
    const known = repetitions.get(statement.fingerprint);
    if (known === undefined) {
      if (repetitions.size >= MAX_STATEMENTS) return;
      repetitions.set(statement.fingerprint, { sites: new Map(), count: 1, reported: false });
      return;
    }
    known.count += 1;
    if (known.reported) return;
    const site = callSite() ?? '';
    let different = known.sites.get(site);
    if (different === undefined) {
      if (known.sites.size >= this.#threshold) return;
      different = new Set();
      known.sites.set(site, different);
    }
    different.add(keyOf(values, text));
    // The first execution is not in the set: its stack was not taken.
    if (different.size + 1 < this.#threshold) return;
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
function keyOf(values: readonly unknown[] | undefined, text: string): string {
  if (values === undefined || values.length === 0) return text;
  try {
    return JSON.stringify(values, (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
  } catch {
    return String(values);
  }
}

function suggest(statement: Statement): string {
  const column = /\bwhere\b.*?([\w."]+) = \?/.exec(statement.text)?.[1];
  const condition =
    column === undefined
      ? 'the values of all rows at once'
      : `\`${column} = ANY($1)\` with all values at once`;
  return `Run it once before the loop: ask for ${condition}, or join the table in the query that feeds the loop.`;
}
