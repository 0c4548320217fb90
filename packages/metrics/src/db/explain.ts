/**
 * Plans of slow reads, guarded: on a pool of their own, one at a time, each statement once an interval, read-only, with timeouts, never
 * ANALYZE (so nothing of the statement runs), and never for texts that hold more than one statement.
 */
import type { Callbacks } from './callbacks.ts';
import { dialects } from './dialect.ts';
import { createIndexStatement, findScans, type PlanNode } from './index-hint.ts';
import type { Statement } from './statements.ts';
import { tokenize } from './tokenizer.ts';

/** What is used of the pool for plans: one of `pg`, not the one the program's queries go through. */
export interface ExplainPool {
  connect(): Promise<ExplainClient>;
}

/** What is used of that pool's clients. */
export interface ExplainClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: unknown[] }>;
  release(destroy?: boolean): void;
}

/** Options of plans. */
export interface ExplainOptions {
  readonly pool: ExplainPool;
  /** Its errors are kept from the program, as those of `onSlowQuery` are. */
  readonly onPlan: (event: PlanEvent) => void;
  /** Each statement's plan is asked for at most once in this time. Default 600,000. */
  readonly intervalMs?: number;
  /** Bound of each plan on the server. Default 1,000. */
  readonly timeoutMs?: number;
  /** Tables with fewer rows get no hint. Default 1,000. */
  readonly minTableRows?: number;
}

/** A missing index, with what speaks for it. */
export interface IndexHint {
  readonly table: string;
  /** The condition without literals. */
  readonly filter: string;
  /** Rows the scan reads and returns, as PostgreSQL estimates. */
  readonly rowsRead: number;
  readonly rowsReturned: number;
  readonly createIndex: string;
}

/** The plan of a slow read. Holds no literal. */
export interface PlanEvent {
  readonly summary: string;
  readonly fingerprint: string;
  readonly statement: string;
  /** Node types from the root, depth first, such as `Limit`, `Seq Scan on products`. */
  readonly nodes: readonly string[];
  readonly estimatedCost: number;
  readonly hints: readonly IndexHint[];
}

const MAX_REMEMBERED = 1_000;
// Above this share of the table a sequential scan is the right plan.
const SELECTIVE = 0.2;

/** Asks for plans of what it is told was slow. */
export class Explainer {
  readonly #options: Required<ExplainOptions>;
  readonly #now: () => number;
  readonly #callbacks: Callbacks;
  readonly #asked = new Map<string, number>();
  #running: Promise<void> | undefined;

  constructor(options: ExplainOptions, now: () => number, callbacks: Callbacks) {
    this.#callbacks = callbacks;
    this.#options = { intervalMs: 600_000, timeoutMs: 1_000, minTableRows: 1_000, ...options };
    this.#now = now;
  }

  /** Resolves when no plan is being asked for. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Considers a slow statement; does nothing where a guard says no. Failures stay inside: a plan is never worth an error. */
  consider(text: string, statement: Statement): void {
    if (this.#running !== undefined || !statement.isRead) return;
    const asked = this.#asked.get(statement.fingerprint);
    const nowMs = this.#now();
    if (asked !== undefined && nowMs - asked < this.#options.intervalMs) return;
    if (!isSingle(text)) return;
    if (this.#asked.size >= MAX_REMEMBERED) this.#asked.delete(this.#asked.keys().next().value as string);
    this.#asked.set(statement.fingerprint, nowMs);
    this.#running = this.#explain(text, statement)
      .catch(() => {})
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #explain(text: string, statement: Statement): Promise<void> {
    const client = await this.#options.pool.connect();
    let failed = true;
    try {
      const plan = await this.#plan(client, text);
      const hints = await this.#hints(client, plan);
      await client.query('ROLLBACK');
      failed = false;
      const { summary, fingerprint, text: statementText } = statement;
      const nodes = nodesOf(plan);
      this.#callbacks.call('onPlan', this.#options.onPlan, {
        summary,
        fingerprint,
        statement: statementText,
        nodes,
        estimatedCost: plan['Total Cost'],
        hints,
      });
    } finally {
      // A connection in an unknown state is not lent again.
      client.release(failed);
    }
  }

  // A generic plan needs no values. PREPARE with forced generic plans does on every version what GENERIC_PLAN does since 16.
  async #plan(client: ExplainClient, text: string): Promise<PlanNode> {
    const timeout = Math.ceil(this.#options.timeoutMs);
    await client.query('BEGIN READ ONLY');
    await client.query(
      `SET LOCAL statement_timeout = ${timeout}; SET LOCAL lock_timeout = ${timeout}; SET LOCAL plan_cache_mode = force_generic_plan`,
    );
    const parameters = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)));
    await client.query(`PREPARE weir_explain AS ${text.replace(/;\s*$/, '')}`);
    try {
      const values =
        parameters === 0 ? '' : ` (${Array.from({ length: parameters }, () => 'NULL').join(', ')})`;
      const { rows } = await client.query(`EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE weir_explain${values}`);
      return (rows[0] as { 'QUERY PLAN': { Plan: PlanNode }[] })['QUERY PLAN'][0]?.Plan as PlanNode;
    } finally {
      await client.query('DEALLOCATE weir_explain').catch(() => {});
    }
  }

  async #hints(client: ExplainClient, plan: PlanNode): Promise<IndexHint[]> {
    const hints: IndexHint[] = [];
    for (const finding of findScans(plan)) {
      const { schema = 'public', table, filter, rowsReturned } = finding;
      const sql =
        'SELECT c.reltuples::float8 AS rows FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2';
      const { rows } = await client.query(sql, [schema, table]);
      const rowsRead = (rows[0] as { rows: number } | undefined)?.rows ?? 0;
      if (rowsRead < this.#options.minTableRows || rowsReturned > rowsRead * SELECTIVE) continue;
      hints.push({ table, filter, rowsRead, rowsReturned, createIndex: createIndexStatement(finding) });
    }
    return hints;
  }
}

function nodesOf(node: PlanNode): string[] {
  const relation = node['Relation Name'];
  const own = relation === undefined ? node['Node Type'] : `${node['Node Type']} on ${relation}`;
  return [own, ...(node.Plans ?? []).flatMap(nodesOf)];
}

function isSingle(text: string): boolean {
  const tokens = tokenize(text, dialects.postgresql);
  // What was not read may hold anything.
  return !tokens.slice(0, -1).some(({ text }) => text === ';') && tokens.at(-1)?.kind !== 'hidden';
}
