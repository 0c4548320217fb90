import type { Call, Expression } from './ast.ts';
import { unwrap } from './ast.ts';
import { arraysFor, type Evaluation } from './evaluation.ts';
import { Labels } from './labels.ts';
import { presentOverTime } from './over-time.ts';
import { overWindows, rangeSource } from './range-windows.ts';
import type { StepSeries } from './step-series.ts';

/** `absent(v)`: 1 at every step at which the vector is empty. */
export function absent(evaluation: Evaluation, call: Call): StepSeries[] {
  const argument = unwrap(call.args[0] as Expression);
  const { values, present } = arraysFor(evaluation).next();
  for (const series of evaluation.vector(argument))
    for (let i = 0; i < present.length; i++) if (series.present[i] === 1) present[i] = 1;
  return [{ labels: labelsOf(argument), dropName: false, ...inverted(values, present) }];
}

/** `absent_over_time(range)`: 1 at every step whose window holds no sample of any series. */
export function absentOverTime(evaluation: Evaluation, call: Call): StepSeries[] {
  const argument = unwrap(call.args[0] as Expression);
  const out = arraysFor(evaluation).next();
  if (argument.kind === 'range' || argument.kind === 'subquery') {
    const source = rangeSource(evaluation, argument);
    for (const series of source.series) overWindows(source, series, presentOverTime, out);
  }
  return [{ labels: labelsOf(argument), dropName: true, ...inverted(out.values, out.present) }];
}

function inverted(values: Float64Array, present: Uint8Array): { values: Float64Array; present: Uint8Array } {
  for (let i = 0; i < present.length; i++) {
    present[i] = present[i] === 1 ? 0 : 1;
    values[i] = 1;
  }
  return { values, present };
}

/** What a selector says with `=` and says once; nothing for any other expression. */
function labelsOf(argument: Expression): Labels {
  const selector = argument.kind === 'range' ? argument.selector : argument;
  if (selector.kind !== 'selector') return Labels.empty;
  const labels = new Map<string, string>();
  const seen = new Set<string>();
  for (const { name, operator, value } of selector.matchers) {
    if (name === '__name__') continue;
    if (operator === '=' && !seen.has(name)) {
      labels.set(name, value);
      seen.add(name);
    } else labels.delete(name);
  }
  return Labels.from(labels);
}
