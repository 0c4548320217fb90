import { Labels } from '@weir/promql';
import { messageOf, ServiceError } from '../errors.ts';
import type { Exemplar } from '../store/exemplars.ts';
import { type MetricStore, refusalOf } from '../store/metric-store.ts';
import { type MemorySeries, SampleBatch } from '../store/series.ts';
import { exportMetricsRequest, readMessage } from './otlp-messages.ts';
import { checkLabels, OwnedSeries, type ScrapeLimits } from './series-admission.ts';
import { type OtlpSample, translateOtlp } from './translate-otlp.ts';

export interface OtlpReport {
  readonly body: Uint8Array;
  readonly encoding: 'protobuf' | 'json';
  readonly timeMs: number;
  readonly limits: ScrapeLimits;
}

export interface OtlpOutcome {
  readonly accepted: number;
  readonly rejected: number;
  /** Why points were rejected, or ''. */
  readonly message: string;
  /** The first five jobs of the samples. */
  readonly jobs: readonly string[];
}

const maxJobs = 5;

/**
 * Writes one export request in one transaction. Samples of series that the service writes itself are rejected.
 * @throws ServiceError `ERR_WEIR_SERVICE_PUSH` when the body is not an export request, `ERR_WEIR_SERVICE_STORE_FULL`
 */
export function ingestOtlp(
  store: MetricStore,
  report: OtlpReport,
  owned: OwnedSeries = new OwnedSeries(),
): OtlpOutcome {
  const { samples, metadata, rejectedPoints, reasons } = translateOtlp(
    decode(report),
    report.timeMs,
    report.limits,
  );
  const batch = new SampleBatch<MemorySeries>();
  const exemplars: Exemplar[] = [];
  const refused = new Set(reasons);
  let rejected = rejectedPoints;
  const jobs = new Set<string>();
  let last: OtlpSample['labels'] | undefined;
  let owner: string | undefined;
  for (const sample of samples) {
    const { job, instance } = sample.labels;
    // Samples of one resource are adjacent.
    if (last === undefined || job !== last.job || instance !== last.instance) {
      if (jobs.size < maxJobs) jobs.add(job ?? '');
      owner = owned.refusalOfTarget(job, instance);
      last = sample.labels;
    }
    const refusal = owner ?? owned.refusalOfMetric(sample.name);
    if (refusal !== undefined) {
      rejected++;
      refused.add(refusal);
      continue;
    }
    try {
      addSample(store, sample, report, batch, exemplars);
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) throw thrown;
      rejected++;
      refused.add(messageOf(thrown));
    }
  }
  for (const { metric, ...entry } of metadata)
    store.describe(metric, { ...entry, help: entry.help.slice(0, 1_024) });
  const result = store.append(batch, exemplars);
  const reason = refusalOf(result);
  if (reason !== undefined) refused.add(reason);
  return {
    accepted: result.accepted,
    rejected: rejected + result.outOfOrder + result.outOfBounds,
    message: [...refused].slice(0, 5).join('; '),
    jobs: [...jobs],
  };
}

function addSample(
  store: MetricStore,
  sample: OtlpSample,
  { limits }: OtlpReport,
  batch: SampleBatch<MemorySeries>,
  exemplars: Exemplar[],
): void {
  const labels = Labels.from({ ...sample.labels, __name__: sample.name });
  checkLabels(labels, limits);
  const series = store.resolve(labels);
  if (series === undefined)
    throw new ServiceError(
      'ERR_WEIR_SERVICE_PUSH',
      'the store is at its limit of series (`store.maxSeries`)',
    );
  if (sample.value === undefined) batch.addStale(series, sample.timeMs);
  else batch.add(series, sample.timeMs, sample.value);
  for (const exemplar of sample.exemplars ?? [])
    exemplars.push({
      series,
      labels: Labels.from(exemplar.labels),
      value: exemplar.value,
      timeMs: exemplar.timeMs === 0 ? sample.timeMs : exemplar.timeMs,
    });
}

function decode({ body, encoding }: OtlpReport): Readonly<Record<string, unknown>> {
  try {
    if (encoding === 'protobuf') return readMessage(body, exportMetricsRequest);
    const parsed: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
    throw new RangeError('expected an object');
  } catch (thrown) {
    throw new ServiceError(
      'ERR_WEIR_SERVICE_PUSH',
      `not an OTLP export request: ${messageOf(thrown)}`,
      thrown,
    );
  }
}
