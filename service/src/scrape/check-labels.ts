import type { Labels } from '@weir/promql';
import { ServiceError } from '../errors.ts';

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
