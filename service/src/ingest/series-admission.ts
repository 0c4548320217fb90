import type { Labels } from '@weir/promql';
import { ServiceError } from '../errors.ts';

/**
 * The series that the service writes itself, by scraping targets and by its rules. They cannot be pushed: a pushed sample that is
 * newer than the target's own would block those, and would keep a dead target up.
 */
export class OwnedSeries {
  /** Keys of the targets by job and instance. */
  readonly #targets = new Map<string, Map<string, Set<string>>>();
  #ruleNames: ReadonlySet<string> = new Set();

  /** Call before a target is scraped under these labels. */
  claim(key: string, { job = '', instance = '' }: Readonly<Record<string, string>>): void {
    const instances = this.#targets.get(job) ?? new Map<string, Set<string>>();
    this.#targets.set(job, instances);
    instances.set(instance, (instances.get(instance) ?? new Set<string>()).add(key));
  }

  /** Call when a target is no longer scraped. */
  release(key: string, { job = '', instance = '' }: Readonly<Record<string, string>>): void {
    const instances = this.#targets.get(job);
    const keys = instances?.get(instance);
    if (keys?.delete(key) !== true || keys.size > 0) return;
    instances?.delete(instance);
    if (instances?.size === 0) this.#targets.delete(job);
  }

  /** Replaces the names of the metrics that rules write. */
  setRuleNames(names: ReadonlySet<string>): void {
    this.#ruleNames = names;
  }

  /** Why series with this job and instance cannot be pushed; `undefined` when they can. */
  refusalOfTarget(job = '', instance = ''): string | undefined {
    if (this.#targets.get(job)?.has(instance) !== true) return undefined;
    return `the service scrapes the instance ${JSON.stringify(instance.slice(0, 200))} of the job ${JSON.stringify(job.slice(0, 200))} itself. Push under another job or instance`;
  }

  /** Why metrics of this name cannot be pushed; `undefined` when they can. */
  refusalOfMetric(name: string): string | undefined {
    return this.#ruleNames.has(name) ? `${name} is written by a rule. Push it under another name` : undefined;
  }
}

/** Bounds on one exposition or push. */
export interface ScrapeLimits {
  readonly maxSamples: number;
  readonly maxLabels: number;
  readonly maxLabelValueLength: number;
}

/** @throws ServiceError `ERR_WEIR_SERVICE_EXPOSITION` when a series has too many or too long labels. */
export function checkLabels(labels: Labels, limits: ScrapeLimits): void {
  if (labels.size > limits.maxLabels + 1)
    throw new ServiceError(
      'ERR_WEIR_SERVICE_EXPOSITION',
      `${labels.get('__name__')} has more than ${limits.maxLabels} labels. Raise \`scrape.maxLabels\` or drop some.`,
    );
  for (const [name, value] of labels)
    if (value.length > limits.maxLabelValueLength || name.length > limits.maxLabelValueLength)
      throw new ServiceError(
        'ERR_WEIR_SERVICE_EXPOSITION',
        `a label of ${labels.get('__name__').slice(0, 100)} is longer than ${limits.maxLabelValueLength} characters.`,
      );
}
