export {
  BenchError,
  type BenchErrorCode,
  OptionError,
  RedirectRefusedError,
  ScenarioError,
  ScenarioFileError,
  type ScenarioIssue,
  ServiceRequestError,
  StartError,
  TargetEndedError,
  TargetPortTakenError,
  TargetRefusedError,
  TargetUnreachableError,
} from '../errors.ts';
export { type StartedTarget, type StartTargetOptions, startTarget } from '../process/start-target.ts';
export { checkObjective } from '../result/check-objective.ts';
export type {
  ArrivalCounts,
  BenchmarkEnvironment,
  BenchmarkLoad,
  BenchmarkProgress,
  BenchmarkResult,
  CheckCounts,
  Doubt,
  FailureKind,
  LatencySummary,
  ObjectiveOutcome,
  RequestCounts,
  RunConditions,
  StepSummary,
  TimelinePoint,
} from '../result/result.ts';
export type { Auth, Flow, FlowStep, SaveSource, StepCheck } from '../scenario/flow.ts';
export { type Objective, type ObjectiveMetric, parseObjective } from '../scenario/objective.ts';
export {
  defineBench,
  loadScenario,
  parseScenario,
  type RateStage,
  type ResolvedRequest,
  type ResolvedScenario,
  type Scenario,
  type ScenarioRequest,
  type StartOptions,
  type StartSpec,
} from '../scenario/scenario.ts';
export {
  type RunAtServiceOptions,
  runAtService,
  type ServiceAddress,
  type ServiceRun,
} from './run-at-service.ts';
export { type RunBenchmarkOptions, runBenchmark } from './run-benchmark.ts';
