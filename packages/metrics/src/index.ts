export type { LabelDefinition, MetricDefinition, MetricType, MetricUnit } from './catalogue.ts';
export { definitionOf, labelCatalogue, metricCatalogue, OVERFLOW, UNMATCHED_ROUTE } from './catalogue.ts';
