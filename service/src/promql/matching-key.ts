import type { VectorMatching } from './ast.ts';
import type { Labels } from './labels.ts';

/** The signature by which two series match: of the labels in `on (…)`, or of all but the name and those in `ignoring (…)`. */
export function matchingKey(matching: VectorMatching): (labels: Labels) => string {
  const names = new Set(matching.labels);
  const keep = matching.on
    ? (name: string): boolean => names.has(name)
    : (name: string): boolean => name !== '__name__' && !names.has(name);
  return (labels) => labels.signatureOf(keep);
}

/** The labels of a match group, as error messages name it. */
export function matchingLabels(matching: VectorMatching, labels: Labels): Labels {
  return labels.filter(
    matching.on
      ? (name) => matching.labels.includes(name)
      : (name) => name !== '__name__' && !matching.labels.includes(name),
  );
}
