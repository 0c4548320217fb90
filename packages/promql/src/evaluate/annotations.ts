import type { Position } from '../errors.ts';
import { lineAndColumn } from '../syntax/lexer.ts';
import { formatGo, formatSignificant } from '../syntax/literals.ts';

interface Monotonicity {
  readonly text: string;
  readonly position: Position;
  minMs: number;
  maxMs: number;
  minBucket: number;
  maxBucket: number;
  maxDiff: number;
  samples: number;
}

/** Warnings and infos of one query, each once, in Prometheus' words and with the position they speak of. */
export class Annotations {
  readonly #query: string;
  readonly #warnings = new Set<string>();
  readonly #infos = new Set<string>();
  readonly #monotonicity = new Map<string, Monotonicity>();

  constructor(query: string) {
    this.#query = query;
  }

  warn(text: string, position: Position): void {
    this.#warnings.add(`PromQL warning: ${text} (${lineAndColumn(this.#query, position.start)})`);
  }

  info(text: string, position: Position): void {
    this.#infos.add(`PromQL info: ${text} (${lineAndColumn(this.#query, position.start)})`);
  }

  invalidQuantile(quantile: number, position: Position): void {
    this.warn(`quantile value should be between 0 and 1, got ${formatGo(quantile)}`, position);
  }

  badBucket(label: string, metric: string, position: Position): void {
    const name = metric === '' ? '' : ` for metric name "${metric}"`;
    this.warn(`bucket label "le" is missing or has a malformed value of "${label}"${name}`, position);
  }

  /** Folds all forced buckets of one metric into one info. */
  forcedMonotonicity(
    metric: string,
    position: Position,
    timeMs: number,
    fix: { readonly minBucket: number; readonly maxBucket: number; readonly maxDiff: number },
  ): void {
    const name = metric === '' ? '' : ` for metric name "${metric}"`;
    const link = 'https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile';
    const text = `input to histogram_quantile needed to be fixed for monotonicity (see ${link})${name}`;
    const known = this.#monotonicity.get(text);
    if (known === undefined) {
      this.#monotonicity.set(text, { text, position, minMs: timeMs, maxMs: timeMs, ...fix, samples: 1 });
      return;
    }
    known.minMs = Math.min(known.minMs, timeMs);
    known.maxMs = Math.max(known.maxMs, timeMs);
    known.minBucket = Math.min(known.minBucket, fix.minBucket);
    known.maxBucket = Math.max(known.maxBucket, fix.maxBucket);
    known.maxDiff = Math.max(known.maxDiff, fix.maxDiff);
    known.samples++;
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  get infos(): readonly string[] {
    const folded = [...this.#monotonicity.values()].map((entry) => this.#monotonicityText(entry));
    return [...this.#infos, ...folded];
  }

  #monotonicityText(entry: Monotonicity): string {
    const buckets = `from buckets ${formatGo(entry.minBucket)} to ${formatGo(entry.maxBucket)}`;
    const diff = `with a max diff of ${formatSignificant(entry.maxDiff, 2)}`;
    const times = `over ${entry.samples} samples from ${rfc3339(entry.minMs)} to ${rfc3339(entry.maxMs)}`;
    const at = lineAndColumn(this.#query, entry.position.start);
    return `PromQL info: ${entry.text}, ${buckets}, ${diff}, ${times} (${at})`;
  }
}

function rfc3339(timeMs: number): string {
  const date = new Date(Math.trunc(timeMs / 1000) * 1000);
  return Number.isNaN(date.getTime()) ? 'an unknown time' : date.toISOString().replace('.000Z', 'Z');
}
