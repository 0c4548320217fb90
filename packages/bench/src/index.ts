export type { RateStage } from './arrival-schedule.ts';
export { type CalibrateOptions, type Calibration, calibrate } from './calibrate/calibrate.ts';
export { type PrepareArmOptions, type PreparedArm, prepareArm } from './compare/arm.ts';
export {
  type CompareOptions,
  type CompareProgress,
  type CompareResult,
  compareBuilds,
  type DuetLoad,
} from './compare/compare-builds.ts';
export { type DistrustLimits, type Doubt, doubtComparison } from './compare/distrust.ts';
export type { ArmName, ArmSample, CompareDesign, PairConditions, PairSample } from './compare/duet-plan.ts';
export type { Arm } from './compare/measure-pair.ts';
export type { RunConditions } from './conditions.ts';
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
export type { Auth, Flow, FlowStep, SaveSource, StepCheck } from './flow/flow.ts';
export type { CheckCounts, StepSummary } from './flow/flow-report.ts';
export { appendHistory, type History, listHistory, readHistory } from './history/history.ts';
export { findHistoryChanges, type HistoryChange } from './history/history-changes.ts';
export { type HistoryStore, type OpenHistoryOptions, openHistory } from './history/open-history.ts';
export type { LatencySummary } from './latency-histogram.ts';
export { loadScenario } from './load-scenario.ts';
export type { FailureKind } from './measurement.ts';
export { type CompareMicroOptions, compareMicro, type MicroResult } from './micro/compare-micro.ts';
export { defineMicro, type Micro } from './micro/micro.ts';
export { checkObjective, type Objective, type ObjectiveOutcome, parseObjective } from './objective.ts';
export type { CpuPinning } from './process/cpu-pinning.ts';
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
export type { ProfileSummary } from './report/culprit-table.ts';
export { type ReportKind, type ReportSubject, renderReport } from './report/write-reports.ts';
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
  type StartOptions,
  type StartSpec,
} from './scenario.ts';
export { type RunAtServiceOptions, runAtService, type ServiceRun } from './service/run-at-service.ts';
export type { ServiceAddress } from './service/service-client.ts';
export { type ChangePoint, type ChangePointOptions, findChangePoints } from './stats/change-points.ts';
export { hodgesLehmann, type LocationEstimate } from './stats/hodges-lehmann.ts';
export { type Look, look, type SequentialPlan } from './stats/sequential.ts';
export { type SignFlip, type SignFlipOptions, type SpendingLook, signFlipTest } from './stats/sign-flip.ts';
export {
  type JudgeOptions,
  judge,
  type MetricVerdict,
  overallVerdict,
  type PairedMetric,
  type Verdict,
} from './stats/verdict.ts';
