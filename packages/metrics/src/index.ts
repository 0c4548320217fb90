export type {
  GaugeAggregator,
  LabelDefinition,
  MetricDefinition,
  MetricType,
  MetricUnit,
} from './catalogue.ts';
export { definitionOf, labelCatalogue, metricCatalogue, overflowValue, unmatchedRoute } from './catalogue.ts';
export type { Metrics, MetricsOptions, OwnMetric } from './create-metrics.ts';
export { createMetrics } from './create-metrics.ts';
export type { ExplainClient, ExplainOptions, ExplainPool, IndexHint, PlanEvent } from './db/explain.ts';
export type { NPlusOneEvent } from './db/n-plus-one.ts';
export type { QueryOptions, SlowQueryEvent } from './db/query-events.ts';
export { MetricsError, type MetricsErrorCode } from './errors.ts';
export type { PromRegistry } from './exposition/prom-bridge.ts';
export type { CheckResult, Health, HealthCheck, HealthOptions, Readiness } from './http/health.ts';
export type { HttpExchange, HttpOutcome, HttpRecorder } from './http/recorder.ts';
export type { Slo, SloOptions } from './http/slo.ts';
export type { Counter, CounterSeries, Gauge, GaugeSeries } from './instruments/counter-gauge.ts';
export type { LabelValue } from './instruments/family.ts';
export type { Exemplar, Histogram, HistogramSeries } from './instruments/histogram.ts';
export type { Clock, FamilyOptions, MetricRegistry } from './registry.ts';
