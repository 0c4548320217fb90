import type { Algorithm } from './algorithm.ts';
import { fixedWindow } from './fixed-window.ts';
import { gcra } from './gcra.ts';
import { slidingCounter } from './sliding-counter.ts';
import { slidingLog } from './sliding-log.ts';
import { tokenBucket } from './token-bucket.ts';

/** The name a policy gives its algorithm. */
export type AlgorithmName =
  | 'gcra'
  | 'gcra-strict'
  | 'fixed-window'
  | 'sliding-counter'
  | 'sliding-log'
  | 'token-bucket';

/** The algorithms by name. The strict GCRA is GCRA with other parameters. */
export const algorithms: Readonly<Record<AlgorithmName, Algorithm>> = {
  gcra: gcra,
  'gcra-strict': gcra,
  'fixed-window': fixedWindow,
  'sliding-counter': slidingCounter,
  'sliding-log': slidingLog,
  'token-bucket': tokenBucket,
};
