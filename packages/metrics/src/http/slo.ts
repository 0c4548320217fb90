/**
 * Objectives as counters: an event is good if it did not fail and took at most the threshold T. Error budgets and burn rates are ratios of these
 * counters over any window. Apdex (Apdex Alliance, 2007): satisfied up to T, tolerating up to 4·T, frustrated beyond that or failed; the score is
 * (satisfied + tolerating / 2) / all.
 */
import { definitionOf } from '../catalogue.ts';
import { metricsError } from '../errors.ts';
import type { Counter, Gauge } from '../instruments/counter-gauge.ts';
import type { MetricRegistry } from '../registry.ts';
import { clientClosedStatus, type HttpRecorder } from './recorder.ts';

/** Options of one objective. */
export interface SloOptions {
  readonly name: string;
  /** Share of events that are to be good, between 0 and 1, both excluded. */
  readonly objective: number;
  /** Longest time of a good event, above 0. */
  readonly thresholdMs: number;
  /**
   * Route templates whose requests count, each exact or a prefix with `*`; `false` to count only events given to `record`.
   * @defaultValue all requests that matched a route, except scrapes and probes answered by the handlers of this package
   */
  readonly routes?: readonly string[] | false;
}

/** One objective. */
export interface Slo {
  /** Counts an event that is not an HTTP request of this server. */
  record(event: { readonly durationMs: number; readonly failed: boolean }): void;
  /** Stops counting requests. */
  close(): void;
}

/** The objectives of a registry; they share their families. */
export class SloRecorder {
  readonly #events: Counter;
  readonly #good: Counter;
  readonly #apdex: Counter;
  readonly #objective: Gauge;
  readonly #http: HttpRecorder;

  constructor(registry: MetricRegistry, http: HttpRecorder) {
    this.#events = registry.counter(definitionOf('weir_slo_events_total'));
    this.#good = registry.counter(definitionOf('weir_slo_good_events_total'));
    this.#apdex = registry.counter(definitionOf('weir_slo_apdex_events_total'));
    this.#objective = registry.gauge(definitionOf('weir_slo_objective_ratio'));
    this.#http = http;
  }

  create({ name, objective, thresholdMs, routes }: SloOptions): Slo {
    if (!(objective > 0 && objective < 1))
      throw metricsError('ERR_WEIR_METRICS_INVALID_OPTION', 'objective', 'between 0 and 1', objective);
    if (!(thresholdMs > 0))
      throw metricsError('ERR_WEIR_METRICS_INVALID_OPTION', 'thresholdMs', 'above 0', thresholdMs);
    this.#objective.labels(name).set(objective);
    // All series exist from the start: the ratio of a missing series is missing, not 0.
    const events = this.#events.labels(name);
    const good = this.#good.labels(name);
    const [satisfied, tolerating, frustrated] = ['satisfied', 'tolerating', 'frustrated'].map((zone) =>
      this.#apdex.labels(name, zone),
    );
    const record: Slo['record'] = ({ durationMs, failed }) => {
      events.inc();
      if (!failed && durationMs <= thresholdMs) good.inc();
      const zone =
        failed || durationMs > 4 * thresholdMs
          ? frustrated
          : durationMs > thresholdMs
            ? tolerating
            : satisfied;
      zone?.inc();
    };
    const counts = matcher(routes);
    const close = this.#http.onEnd(({ isProbe }, template, { statusCode }, durationMs) => {
      if (template === undefined || !counts(template) || (isProbe && routes === undefined)) return;
      // An abort before the threshold is not the server's failure.
      if (statusCode === clientClosedStatus && durationMs <= thresholdMs) return;
      record({ durationMs, failed: statusCode >= 500 });
    });
    return Object.freeze({ record, close });
  }
}

function matcher(routes: SloOptions['routes']): (route: string) => boolean {
  if (routes === undefined) return () => true;
  if (routes === false) return () => false;
  const exact = new Set(routes.filter((route) => !route.endsWith('*')));
  const prefixes = routes.filter((route) => route.endsWith('*')).map((route) => route.slice(0, -1));
  return (route) => exact.has(route) || prefixes.some((prefix) => route.startsWith(prefix));
}
