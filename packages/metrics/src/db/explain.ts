/**
 * Plans of slow PostgreSQL reads, and the indexes they lack. Guarded: on a separate pool, one plan at a time, each statement once per interval,
 * read-only, with timeouts, never with ANALYZE (so the statement does not run), and never for a text with more than one statement.
 */
import type { Clock } from '../registry.ts';
import { dialects } from './dialect.ts';
import { normalize } from './normalize.ts';
import type { Statement } from './statements.ts';
import { tokenize } from './tokenizer.ts';

/** Options of plans of slow reads. */
export interface ExplainOptions {
  /** A pool of `pg` for plans alone, not the one that the program's queries use. */
  readonly pool: ExplainPool;
  /** Called with each plan. Its errors are handled like those of `onSlowQuery`. */
  readonly onPlan: (event: PlanEvent) => void;
  /**
   * Shortest time between two plans of one statement.
   * @defaultValue 600,000
   */
  readonly intervalMs?: number;
  /**
   * Statement and lock timeout of each plan on the server.
   * @defaultValue 1,000
   */
  readonly timeoutMs?: number;
  /**
   * Tables with fewer rows get no hint.
   * @defaultValue 1,000
   */
  readonly minTableRows?: number;
}

/** The members of the pool that are used. */
export interface ExplainPool {
  connect(): Promise<ExplainClient>;
}

/** The members of its clients that are used. */
export interface ExplainClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: unknown[] }>;
  release(destroy?: boolean): void;
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

/** A missing index and the evidence for it. */
export interface IndexHint {
  readonly table: string;
  /** The condition without literals. */
  readonly filter: string;
  /** Rows that the scan reads and returns, as PostgreSQL estimates. */
  readonly rowsRead: number;
  readonly rowsReturned: number;
  readonly createIndex: string;
}

const maxRemembered = 1_000;
// Above this share of the table's rows a sequential scan is the right plan.
const maxSelectivity = 0.2;

/** Requests plans of slow statements. */
export class Explainer {
  readonly #options: Required<ExplainOptions>;
  readonly #clock: Clock;
  readonly #onPlan: (event: PlanEvent) => void;
  readonly #asked = new Map<string, number>();
  #running: Promise<void> | undefined;

  constructor(options: ExplainOptions, clock: Clock, onPlan: (event: PlanEvent) => void) {
    this.#options = { intervalMs: 600_000, timeoutMs: 1_000, minTableRows: 1_000, ...options };
    this.#clock = clock;
    this.#onPlan = onPlan;
  }

  /** Resolves when no plan is being requested. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Requests the plan of a slow statement if every guard permits. Errors are dropped: a plan is optional. */
  consider(text: string, statement: Statement): void {
    if (this.#running !== undefined || !statement.isRead) return;
    const asked = this.#asked.get(statement.fingerprint);
    const nowMs = this.#clock.now();
    if (asked !== undefined && nowMs - asked < this.#options.intervalMs) return;
    if (!isSingle(text)) return;
    if (this.#asked.size >= maxRemembered) this.#asked.delete(this.#asked.keys().next().value as string);
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
      this.#onPlan({
        summary,
        fingerprint,
        statement: statementText,
        nodes,
        estimatedCost: plan['Total Cost'],
        hints,
      });
    } finally {
      // A connection in an unknown state is destroyed.
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
      if (rowsRead < this.#options.minTableRows || rowsReturned > rowsRead * maxSelectivity) continue;
      hints.push({ table, filter, rowsRead, rowsReturned, createIndex: createIndexStatement(finding) });
    }
    return hints;
  }
}

function isSingle(text: string): boolean {
  const tokens = tokenize(text, dialects.postgresql);
  // The hidden rest of a text may hold another statement.
  return !tokens.slice(0, -1).some(({ text }) => text === ';') && tokens.at(-1)?.kind !== 'hidden';
}

function nodesOf(node: PlanNode): string[] {
  const relation = node['Relation Name'];
  const own = relation === undefined ? node['Node Type'] : `${node['Node Type']} on ${relation}`;
  return [own, ...(node.Plans ?? []).flatMap(nodesOf)];
}

/** The members of a node of `EXPLAIN (FORMAT JSON)` that are read. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Plan Rows': number;
  readonly 'Total Cost': number;
  readonly Schema?: string;
  readonly 'Relation Name'?: string;
  readonly Filter?: string;
  readonly Plans?: readonly PlanNode[];
}

/** A table that is read whole to return a part of it. */
interface ScanFinding {
  readonly schema: string | undefined;
  readonly table: string;
  /** The scan's condition without literals. */
  readonly filter: string;
  readonly rowsReturned: number;
  /** Columns an index could serve, those compared for equality first. */
  readonly columns: readonly string[];
}

/** Sequential scans whose filter an index could serve, in the order of the plan. Filters lose their literals before they are read. */
function findScans(node: PlanNode): ScanFinding[] {
  const found = (node.Plans ?? []).flatMap(findScans);
  const table = node['Relation Name'];
  if (node['Node Type'] !== 'Seq Scan' || table === undefined || node.Filter === undefined) return found;
  const filter = normalize(tokenize(node.Filter, dialects.postgresql));
  const columns = columnsOf(filter);
  if (columns.length > 0)
    found.unshift({ schema: node.Schema, table, filter, rowsReturned: node['Plan Rows'], columns });
  return found;
}

const comparison =
  /(?:^|[\s(])(?:(?:"(?:[^"]|"")+"|[a-z_][\w$]*)\.)?("(?:[^"]|"")+"|[a-z_][\w$]*)\)*(?:::[\w ]+?)? (=|<|>|<=|>=) (?:any )?\(*(?:\?|array)/g;

function columnsOf(filter: string): string[] {
  const equal: string[] = [];
  const ranged: string[] = [];
  for (const [, column, operator] of filter.matchAll(comparison))
    (operator === '=' ? equal : ranged).push(column as string);
  // An index serves equalities and, after them, one range.
  return [...new Set([...equal, ...ranged.slice(0, 1)])];
}

/** The statement that creates the index; CONCURRENTLY blocks no writer. */
function createIndexStatement({ schema, table, columns }: ScanFinding): string {
  const relation =
    schema === undefined || schema === 'public' ? quote(table) : `${quote(schema)}.${quote(table)}`;
  return `CREATE INDEX CONCURRENTLY ON ${relation} (${columns.join(', ')})`;
}

function quote(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
