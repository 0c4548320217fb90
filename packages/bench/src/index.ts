export type { RateStage } from './arrival-schedule.ts';
export {
  BenchError,
  type BenchErrorCode,
  ScenarioError,
  ScenarioFileError,
  type ScenarioIssue,
  TargetRefusedError,
  TargetUnreachableError,
} from './errors.ts';
export type { LatencySummary } from './latency-histogram.ts';
export { loadScenario } from './load-scenario.ts';
export type { FailureKind } from './measurement.ts';
export type {
  ArrivalCounts,
  BenchmarkEnvironment,
  BenchmarkLoad,
  BenchmarkProgress,
  BenchmarkResult,
  RequestCounts,
  TimelinePoint,
} from './result.ts';
export { type RunBenchmarkOptions, runBenchmark } from './run-benchmark.ts';
export {
  defineBench,
  parseScenario,
  type ResolvedRequest,
  type ResolvedScenario,
  type Scenario,
  type ScenarioRequest,
} from './scenario.ts';
