export {
  ArmError,
  BenchError,
  type BenchErrorCode,
  GeneratorError,
  OptionError,
  ScenarioError,
  ScenarioFileError,
  type ScenarioIssue,
  StartError,
} from '../errors.ts';
export { type CalibrateOptions, type Calibration, calibrate } from './calibrate.ts';
export {
  type CompareOptions,
  type CompareProgress,
  type CompareResult,
  compareBuilds,
  type DuetLoad,
} from './compare-builds.ts';
export {
  type CompareMicroOptions,
  compareMicro,
  defineMicro,
  type Micro,
  type MicroResult,
} from './compare-micro.ts';
export { type DoubtLimits, doubtComparison } from './doubts.ts';
export type {
  ArmName,
  ArmSample,
  CompareDesign,
  CpuPinning,
  PairConditions,
  PairSample,
} from './duet-plan.ts';
export type { Arm } from './measure-pair.ts';
export { type PrepareArmOptions, type PreparedArm, prepareArm } from './prepare-arm.ts';
