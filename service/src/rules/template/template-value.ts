import { formatGo } from '@weir/promql';

/** A value of the template language; `undefined` is Go's nil. */
export type TemplateValue = string | number | boolean | undefined | TemplateMap | readonly TemplateValue[];

/** Labels, samples and the data itself. A name that is not there is the empty text. */
export class TemplateMap {
  readonly #values: ReadonlyMap<string, TemplateValue>;

  constructor(values: Readonly<Record<string, TemplateValue>>) {
    this.#values = new Map(Object.entries(values));
  }

  get size(): number {
    return this.#values.size;
  }

  get(name: string): TemplateValue {
    return this.#values.has(name) ? this.#values.get(name) : '';
  }

  /** By name. */
  entries(): (readonly [string, TemplateValue])[] {
    return [...this.#values].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** Whether `if` takes the value: neither nil, false, 0 nor empty. */
export function isTruthy(value: TemplateValue): boolean {
  if (value instanceof TemplateMap) return value.size > 0;
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== false && value !== 0 && value !== '';
}

/** As Go prints it by `%v`. */
export function formatTemplateValue(value: TemplateValue): string {
  if (value === undefined) return '<no value>';
  if (typeof value === 'number') return formatFloat(value);
  if (value instanceof TemplateMap)
    return `map[${value
      .entries()
      .map(([name, one]) => `${name}:${formatTemplateValue(one)}`)
      .join(' ')}]`;
  if (typeof value === 'string' || typeof value === 'boolean') return String(value);
  return `[${value.map(formatTemplateValue).join(' ')}]`;
}

// Go's `%v` of a float64 has an exponent from 1e21 on, unlike its `%g`.
function formatFloat(value: number): string {
  const magnitude = Math.abs(value);
  return magnitude >= 1e6 && magnitude < 1e21 ? String(value) : formatGo(value);
}
