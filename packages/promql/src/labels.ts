import { quote } from './syntax/literals.ts';

/**
 * An immutable set of labels, the metric name included as `__name__`. Names are sorted by code unit and no
 * value is empty: in PromQL an empty label and an absent one are the same. Make one per series and keep it:
 * the signature is computed once per instance, and the engine groups and joins by it.
 */
export class Labels implements Iterable<readonly [name: string, value: string]> {
  static readonly empty: Labels = new Labels([]);

  /** Names and values in turn: `[name, value, name, value, …]`. */
  readonly #pairs: readonly string[];
  #signature: string | undefined;
  #withoutMetadata: Labels | undefined;

  private constructor(pairs: readonly string[]) {
    this.#pairs = pairs;
  }

  /** Empty values are dropped; of a name given twice the last wins. */
  static from(source: Readonly<Record<string, string>> | Iterable<readonly [string, string]>): Labels {
    const entries = Symbol.iterator in source ? source : Object.entries(source);
    const byName = new Map<string, string>();
    for (const [name, value] of entries as Iterable<readonly [string, string]>) {
      if (value === '') byName.delete(name);
      else byName.set(name, value);
    }
    if (byName.size === 0) return Labels.empty;
    const pairs: string[] = [];
    for (const name of [...byName.keys()].sort()) pairs.push(name, byName.get(name) as string);
    return new Labels(pairs);
  }

  get size(): number {
    return this.#pairs.length / 2;
  }

  /** The value, or `''` when the label is absent. */
  get(name: string): string {
    const pairs = this.#pairs;
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return pairs[i + 1] as string;
    return '';
  }

  has(name: string): boolean {
    return this.get(name) !== '';
  }

  /** Equal for equal sets and only for them. Opaque. */
  get signature(): string {
    this.#signature ??= sign(this.#pairs);
    return this.#signature;
  }

  /** The signature of the labels whose names `keep` accepts, without building the subset. */
  signatureOf(keep: (name: string) => boolean): string {
    const kept: string[] = [];
    const pairs = this.#pairs;
    for (let i = 0; i < pairs.length; i += 2)
      if (keep(pairs[i] as string)) kept.push(pairs[i] as string, pairs[i + 1] as string);
    return sign(kept);
  }

  filter(keep: (name: string) => boolean): Labels {
    const kept: string[] = [];
    const pairs = this.#pairs;
    for (let i = 0; i < pairs.length; i += 2)
      if (keep(pairs[i] as string)) kept.push(pairs[i] as string, pairs[i + 1] as string);
    if (kept.length === pairs.length) return this;
    return kept.length === 0 ? Labels.empty : new Labels(kept);
  }

  /** A copy with the given labels set; `''` removes one. */
  with(changes: Readonly<Record<string, string>> | Iterable<readonly [string, string]>): Labels {
    const entries = Symbol.iterator in changes ? changes : Object.entries(changes);
    return Labels.from([...this, ...(entries as Iterable<readonly [string, string]>)]);
  }

  *[Symbol.iterator](): Iterator<readonly [string, string]> {
    const pairs = this.#pairs;
    for (let i = 0; i < pairs.length; i += 2) yield [pairs[i] as string, pairs[i + 1] as string];
  }

  /** The same labels with every text replaced by an equal one, so that equal sets share them. */
  map(equal: (text: string) => string): Labels {
    return new Labels(this.#pairs.map(equal));
  }

  /** A plain object without a prototype, so that a label named `__proto__` is one like any other. */
  toJSON(): Record<string, string> {
    const object: Record<string, string> = Object.create(null);
    for (const [name, value] of this) object[name] = value;
    return object;
  }

  /** As Prometheus prints a series in its messages: `{__name__="up", job="shop"}`. */
  toString(): string {
    const body = [...this].map(([label, value]) => `${quoteName(label)}=${quote(value)}`);
    return `{${body.join(', ')}}`;
  }

  /**
   * Without the name, type and unit, which a computed value does not keep. The same instance is handed out each time.
   */
  get withoutMetadata(): Labels {
    this.#withoutMetadata ??= this.filter((name) => !metadata.has(name));
    return this.#withoutMetadata;
  }

  equals(other: Labels): boolean {
    return this === other || this.signature === other.signature;
  }

  /** By names and values in turn, then by size: the order of Prometheus' sorted results. */
  compare(other: Labels): number {
    const a = this.#pairs;
    const b = other.#pairs;
    const length = Math.min(a.length, b.length);
    for (let i = 0; i < length; i++) {
      const left = a[i] as string;
      const right = b[i] as string;
      if (left !== right) return left < right ? -1 : 1;
    }
    return a.length - b.length;
  }
}

const metadata = new Set(['__name__', '__type__', '__unit__']);
const plainName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The name as it stands in a query: quoted where it is more than letters, digits and underscores. */
export function quoteName(name: string): string {
  return plainName.test(name) ? name : quote(name);
}

// Lengths in front make the joined text unambiguous whatever the values hold.
function sign(pairs: readonly string[]): string {
  let text = '';
  for (const part of pairs) text += `${part.length}:${part}`;
  return text;
}
