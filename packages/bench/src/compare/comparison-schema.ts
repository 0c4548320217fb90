import * as z from 'zod';
import { doubtSchema, environmentSchema, explainMistake } from '../result-schema.ts';

const count = z.int().min(0);
const share = z.number().min(0);

const armSchema = z.strictObject({
  perSecond: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  cpuUs: z.number().optional(),
  answered: count,
  errors: count,
  non2xx: count,
  ended: z.string().optional(),
  failedChecks: count.optional(),
});

const pairSchema = z.strictObject({
  base: armSchema,
  head: armSchema,
  conditions: z.strictObject({
    generatorBusy: share,
    generatorWaited: share.optional(),
    targetsRan: share.optional(),
    steal: share.optional(),
    oneCore: z.literal(true).optional(),
  }),
});

const verdicts = ['faster', 'slower', 'same', 'inconclusive'] as const;
/** JSON has no infinity; an end without bound is null. */
const end = z.number().nullable();

const metricSchema = z.strictObject({
  name: z.string(),
  verdict: z.enum(verdicts),
  effect: z.number(),
  interval: z.tuple([end, end]),
  p: share.max(1),
  pairs: count,
});

const comparisonSchema = z.strictObject({
  schemaVersion: z.literal(1),
  name: z.string(),
  base: z.string(),
  head: z.string(),
  startedAt: z.iso.datetime(),
  durationMs: z.number().min(0),
  verdict: z.enum([...verdicts, 'invalid']),
  metrics: z.array(metricSchema),
  doubts: z.array(doubtSchema),
  partial: z.boolean(),
  design: z.enum(['duet', 'slices']),
  pinning: z.strictObject({ targets: count, generator: count }).nullable(),
  pairs: z.array(pairSchema),
  environment: environmentSchema,
});

/** Whether a value of unknown origin is a comparison, and if not, the first thing that is wrong. */
export function explainComparison(value: unknown): string | undefined {
  return explainMistake(comparisonSchema, value);
}

/** The JSON Schema of a comparison's result. */
export function comparisonJsonSchema(): object {
  return z.toJSONSchema(comparisonSchema);
}
