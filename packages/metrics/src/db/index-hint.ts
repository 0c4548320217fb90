/** Reads a PostgreSQL plan for sequential scans that an index would save. Filters are made literal-free before anything is read from them. */
import { dialects } from './dialect.ts';
import { normalize } from './normalize.ts';
import { tokenize } from './tokenizer.ts';

/** A node of `EXPLAIN (FORMAT JSON)`, as far as it is read. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Plan Rows': number;
  readonly 'Total Cost': number;
  readonly Schema?: string;
  readonly 'Relation Name'?: string;
  readonly Filter?: string;
  readonly Plans?: readonly PlanNode[];
}

/** A table that is read whole to return a part of it. */
export interface ScanFinding {
  readonly schema: string | undefined;
  readonly table: string;
  /** The scan's condition without literals. */
  readonly filter: string;
  readonly rowsReturned: number;
  /** Columns an index could serve, those compared for equality first. */
  readonly columns: readonly string[];
}

const COMPARISON =
  /(?:^|[\s(])(?:(?:"(?:[^"]|"")+"|[a-z_][\w$]*)\.)?("(?:[^"]|"")+"|[a-z_][\w$]*)\)*(?:::[\w ]+?)? (=|<|>|<=|>=) (?:any )?\(*(?:\?|array)/g;

function columnsOf(filter: string): string[] {
  const equal: string[] = [];
  const ranged: string[] = [];
  for (const [, column, operator] of filter.matchAll(COMPARISON))
    (operator === '=' ? equal : ranged).push(column as string);
  // An index serves equalities and, after them, one range.
  return [...new Set([...equal, ...ranged.slice(0, 1)])];
}

/** Sequential scans with a filter an index could serve, in the order of the plan. */
export function findScans(node: PlanNode): ScanFinding[] {
  const found = (node.Plans ?? []).flatMap(findScans);
  const table = node['Relation Name'];
  if (node['Node Type'] !== 'Seq Scan' || table === undefined || node.Filter === undefined) return found;
  const filter = normalize(tokenize(node.Filter, dialects.postgresql));
  const columns = columnsOf(filter);
  if (columns.length > 0)
    found.unshift({ schema: node.Schema, table, filter, rowsReturned: node['Plan Rows'], columns });
  return found;
}

function quote(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** The statement that creates the index; building it locks no writer out. */
export function createIndexStatement({ schema, table, columns }: ScanFinding): string {
  const relation =
    schema === undefined || schema === 'public' ? quote(table) : `${quote(schema)}.${quote(table)}`;
  return `CREATE INDEX CONCURRENTLY ON ${relation} (${columns.join(', ')})`;
}
