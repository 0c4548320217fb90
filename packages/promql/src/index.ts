export { type Position, PromqlError, type PromqlErrorType } from './errors.ts';
export { Labels } from './labels.ts';
export type { QueryOptions } from './limits.ts';
export { labelsOf, MemoryQueryable, type Point } from './memory-queryable.ts';
export {
  evaluateInstant,
  evaluateRange,
  formatValue,
  type MatrixSeries,
  type QueryRange,
  type QueryResult,
  type QueryValue,
  type VectorSample,
} from './query.ts';
export { isStale, type Queryable, type SelectLimits, type Series, writeStale } from './queryable.ts';
export type * from './syntax/ast.ts';
export { format } from './syntax/format.ts';
export { formatDuration, formatGo, formatSignificant, parseDuration, unquote } from './syntax/literals.ts';
export {
  compileRegularExpression,
  createMatcher,
  type Matcher,
  type MatchOperator,
} from './syntax/matcher.ts';
export { parse, parseMetricSelector } from './syntax/parser.ts';
export { type QueryNames, queryNames } from './syntax/query-names.ts';
