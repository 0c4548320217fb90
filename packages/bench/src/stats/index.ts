export { type ChangePoint, type ChangePointOptions, findChangePoints } from './change-points.ts';
export { type SignFlip, type SignFlipOptions, type SpendingLook, signFlipTest } from './sign-flip.ts';
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
} from './verdict.ts';
