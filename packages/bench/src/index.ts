export { type CalibrateOptions, type Calibration, calibrate } from './compare/calibrate.ts';
export {
  type CompareOptions,
  type CompareProgress,
  type CompareResult,
  compareBuilds,
  type DuetLoad,
} from './compare/compare-builds.ts';
export {
  type CompareMicroOptions,
  compareMicro,
  defineMicro,
  type Micro,
  type MicroResult,
} from './compare/compare-micro.ts';
export { type DistrustLimits, type Doubt, doubtComparison } from './compare/doubts.ts';
export type {
  ArmName,
  ArmSample,
  CompareDesign,
  CpuPinning,
  PairConditions,
  PairSample,
} from './compare/duet-plan.ts';
export type { Arm } from './compare/measure-pair.ts';
export { type PrepareArmOptions, type PreparedArm, prepareArm } from './compare/prepare-arm.ts';
export {
  ArmError,
  BenchError,
  type BenchErrorCode,
  GeneratorError,
  HistoryBranchError,
  OptionError,
  ProfileError,
  RedirectRefusedError,
  ScenarioError,
  ScenarioFileError,
  type ScenarioIssue,
  ServiceError,
  StartError,
  TargetEndedError,
  TargetPortTakenError,
  TargetRefusedError,
  TargetUnreachableError,
} from './errors.ts';
export {
  appendHistory,
  findHistoryChanges,
  type History,
  type HistoryChange,
  listHistory,
  readHistory,
} from './history/history.ts';
export { type HistoryStore, type OpenHistoryOptions, openHistory } from './history/open-history.ts';
export type { LatencySummary } from './load/histogram.ts';
export type { FailureKind } from './load/measurement.ts';
export type { RateStage } from './load/open-loop.ts';
export type { ServiceAddress } from './load/run-at-service.ts';
export { type RunAtServiceOptions, runAtService, type ServiceRun } from './load/run-at-service.ts';
export { type RunBenchmarkOptions, runBenchmark } from './load/run-benchmark.ts';
export type { CheckCounts, StepSummary } from './load/run-flows.ts';
export { type StartedTarget, type StartTargetOptions, startTarget } from './process/start-target.ts';
export { type ClinicOptions, type ClinicTool, runClinic } from './profile/clinic.ts';
export {
  type Culprit,
  findCulprits,
  type ProfileDifference,
  type ProfiledArm,
  type ProfiledPair,
} from './profile/culprits.ts';
export { renderFlameGraph, renderSpeedscope } from './profile/flame-graph.ts';
export { type ProfileOptions, type ProfileResult, profileBuilds } from './profile/profile-builds.ts';
export type { ProfileSummary } from './report/table.ts';
export { type ReportKind, type ReportSubject, renderReport } from './report/write-reports.ts';
export {
  checkObjective,
  type Objective,
  type ObjectiveOutcome,
  parseObjective,
} from './result/check-objective.ts';
export type { RunConditions } from './result/doubts.ts';
export type {
  ArrivalCounts,
  BenchmarkEnvironment,
  BenchmarkLoad,
  BenchmarkProgress,
  BenchmarkResult,
  RequestCounts,
  TimelinePoint,
} from './result/result.ts';
export type { Auth, Flow, FlowStep, SaveSource, StepCheck } from './scenario/scenario.ts';
export {
  defineBench,
  loadScenario,
  parseScenario,
  type ResolvedRequest,
  type ResolvedScenario,
  type Scenario,
  type ScenarioRequest,
  type StartOptions,
  type StartSpec,
} from './scenario/scenario.ts';
export { type ChangePoint, type ChangePointOptions, findChangePoints } from './stats/change-points.ts';
export { type SignFlip, type SignFlipOptions, type SpendingLook, signFlipTest } from './stats/sign-flip.ts';
export {
  hodgesLehmann,
  type JudgeOptions,
  judge,
  type LocationEstimate,
  type Look,
  look,
  type MetricVerdict,
  overallVerdict,
  type PairedMetric,
  type SequentialPlan,
  type Verdict,
} from './stats/verdict.ts';
