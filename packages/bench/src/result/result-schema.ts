import * as z from 'zod';
import type { BenchmarkEnvironment } from './result.ts';

const count = z.int().min(0);
const share = z.number().min(0);
const latency = z.strictObject({
  min: z.number(),
  mean: z.number(),
  p50: z.number(),
  p90: z.number(),
  p95: z.number(),
  p99: z.number(),
  p999: z.number(),
  max: z.number(),
});
const stage = z.strictObject({ durationMs: z.number(), rate: z.number(), from: z.number().optional() });
/** Checks a doubt. Readers must accept codes of later versions. */
const doubtSchema: z.ZodType<{ readonly code: string; readonly message: string }> = z.strictObject({
  code: z.string(),
  message: z.string(),
});

/** Checks the machine of a result. */
const environmentSchema: z.ZodType<BenchmarkEnvironment> = z.strictObject({
  node: z.string(),
  platform: z.string(),
  arch: z.string(),
  cpu: z.string(),
  cores: count,
  commit: z.string().optional(),
  // zod's optional keys may hold undefined, which JSON cannot.
}) as unknown as z.ZodType<BenchmarkEnvironment>;

const failure = z.enum(['timeout', 'cut', 'refused', 'malformed', 'dropped', 'unsent']);

const resultSchema = z.strictObject({
  schemaVersion: z.literal(1),
  name: z.string(),
  target: z.string(),
  startedAt: z.iso.datetime(),
  durationMs: z.number().min(0),
  partial: z.boolean(),
  load: z.discriminatedUnion('mode', [
    z.strictObject({ mode: z.literal('closed'), connections: count, pipelining: count }),
    z.strictObject({
      mode: z.literal('open'),
      rate: z.number(),
      stages: z.array(stage),
      connections: count,
      workers: count,
    }),
  ]),
  requests: z.strictObject({
    total: count,
    ok: count,
    non2xx: count,
    errors: count,
    timeouts: count,
    perSecond: z.number(),
  }),
  latencyMs: latency,
  statusCodes: z.record(z.string(), count),
  failures: z.partialRecord(failure, count),
  arrivals: z
    .strictObject({ intended: count, late: count, latestMs: z.number(), dropped: count, achieved: share })
    .optional(),
  checks: z.strictObject({ passed: count, failed: count, failures: z.record(z.string(), count) }).optional(),
  steps: z.array(z.strictObject({ name: z.string(), answered: count, latencyMs: latency })).optional(),
  objectives: z.array(
    z.strictObject({ expression: z.string(), met: z.boolean(), actual: z.number().nullable() }),
  ),
  doubts: z.array(doubtSchema),
  conditions: z
    .strictObject({ generatorBusy: share, generatorWaited: share.optional(), steal: share.optional() })
    .optional(),
  bytesPerSecond: z.number(),
  timeline: z.array(
    z.strictObject({
      atMs: z.number(),
      requestsPerSecond: z.number(),
      p50Ms: z.number(),
      p99Ms: z.number(),
      errors: count,
    }),
  ),
  environment: environmentSchema,
});

/** The JSON Schema of a benchmark result. */
export function resultJsonSchema(): object {
  return z.toJSONSchema(resultSchema);
}

/** The first mistake of a value that should be a result, or `undefined`. */
export function explainResult(value: unknown): string | undefined {
  return explainMistake(resultSchema, value);
}

/** The first mistake of a value, or `undefined`. */
function explainMistake(schema: z.ZodType, value: unknown): string | undefined {
  const parsed = schema.safeParse(value);
  if (parsed.success) return undefined;
  const [issue] = parsed.error.issues;
  return `${issue?.path.map(String).join('.')}: ${issue?.message}`;
}

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
/** An unbounded end is null, since JSON has no infinity. */
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

/** The first mistake of a value that should be a comparison, or `undefined`. */
export function explainComparison(value: unknown): string | undefined {
  return explainMistake(comparisonSchema, value);
}

/** The JSON Schema of a comparison's result. */
export function comparisonJsonSchema(): object {
  return z.toJSONSchema(comparisonSchema);
}
