/** Calls the program's callbacks, so that their errors harm nothing else. */
import { definitionOf } from './catalogue.ts';
import type { Counter } from './instruments/counter-gauge.ts';
import type { MetricRegistry } from './registry.ts';

/** Each callback, with what its errors never reach. */
const unharmed = {
  onSlowQuery: 'query',
  onNPlusOne: 'query',
  onPlan: 'query',
  route: 'request',
  onError: 'push',
} as const;

type CallbackName = keyof typeof unharmed;

/** Calls the program's callbacks. What one throws or rejects with is counted, and the first error of each is shown as a process warning. */
export class Callbacks {
  readonly #errors: Counter;
  readonly #shown = new Set<CallbackName>();

  constructor(registry: MetricRegistry) {
    this.#errors = registry.counter(definitionOf('weir_metrics_callback_errors_total'));
  }

  /** Calls `callback` if there is one, and returns what it returned; `undefined` if it threw. Never throws. */
  call<E>(name: CallbackName, callback: ((event: E) => unknown) | undefined, event: E): unknown {
    if (callback === undefined) return undefined;
    try {
      const result = callback(event);
      if (typeof result === 'string') return result;
      const promise = result as PromiseLike<unknown> | null | undefined;
      if (typeof promise?.then === 'function')
        promise.then(undefined, (error: unknown) => this.#failed(name, error));
      return result;
    } catch (error) {
      this.#failed(name, error);
      return undefined;
    }
  }

  #failed(name: CallbackName, error: unknown): void {
    this.#errors.labels(name).inc();
    if (this.#shown.has(name)) return;
    this.#shown.add(name);
    const detail = error instanceof Error ? `${error.name}: ${error.message}` : 'a value that is no Error';
    process.emitWarning(
      `\`${name}\` failed with ${detail}. The ${unharmed[name]} is not affected. Catch errors in \`${name}\`; further ones only count in weir_metrics_callback_errors_total.`,
      { type: 'WeirMetricsWarning', code: 'WEIR_METRICS_CALLBACK' },
    );
  }
}
