/**
 * Calls the program's own callbacks from inside a query's way: whatever they do, the query is as it was. What one throws, or rejects with, is
 * counted, and the first of each is shown as a process warning.
 */
import { definitionOf } from '../catalogue.ts';
import type { Counter } from '../instruments/counter-gauge.ts';
import type { MetricRegistry } from '../registry.ts';

/** Options of query timing that are called with an event. */
export type CallbackName = 'onSlowQuery' | 'onNPlusOne' | 'onPlan';

/** The callbacks of one `createMetrics`. */
export class Callbacks {
  readonly #errors: Counter;
  readonly #shown = new Set<CallbackName>();

  constructor(registry: MetricRegistry) {
    this.#errors = registry.counter(definitionOf('weir_metrics_callback_errors_total'));
  }

  /** Calls `callback`, where there is one. Never throws. */
  call<E>(name: CallbackName, callback: ((event: E) => unknown) | undefined, event: E): void {
    if (callback === undefined) return;
    try {
      const result = callback(event) as PromiseLike<unknown> | undefined;
      if (typeof result?.then === 'function')
        result.then(undefined, (error: unknown) => this.#failed(name, error));
    } catch (error) {
      this.#failed(name, error);
    }
  }

  #failed(name: CallbackName, error: unknown): void {
    this.#errors.labels(name).inc();
    if (this.#shown.has(name)) return;
    this.#shown.add(name);
    const detail = error instanceof Error ? `${error.name}: ${error.message}` : 'a value that is no Error';
    process.emitWarning(
      `\`${name}\` failed with ${detail}. The query is not affected. Catch errors in \`${name}\`; further ones only count in weir_metrics_callback_errors_total.`,
      { type: 'WeirMetricsWarning', code: 'WEIR_METRICS_CALLBACK' },
    );
  }
}
