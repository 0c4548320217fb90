import type { FieldConfig } from './dashboard.ts';
import { absoluteSteps } from './thresholds.ts';

/** The dial begins and ends so far below the horizon, in radians. */
const droop = 0.35;
const sweep = Math.PI + 2 * droop;
const centre = { x: 100, y: 100 } as const;

/** A dial in a box of 200 × 128: paths of SVG arcs. */
export interface GaugeArcs {
  readonly track: string;
  /** From the lowest value to the present one; none without a value or at the lowest. */
  readonly needle: string | undefined;
  /** The stretch of each threshold, outside of the track. */
  readonly bands: readonly { readonly path: string; readonly color: string }[];
}

/** The dial of `value` between the field's min (default 0) and max (default 100; 1 of a unit that is a share). */
export function gaugeArcs(config: FieldConfig, value: number | null): GaugeArcs {
  const min = config.min ?? 0;
  const max = config.max ?? (config.unit === 'percentunit' ? 1 : 100);
  const share = (at: number): number => Math.min(1, Math.max(0, (at - min) / (max - min || 1)));
  const steps = absoluteSteps(config);
  const reached = value === null ? 0 : share(value);
  return {
    track: arc(78, 0, 1),
    needle: reached > 0.002 ? arc(78, 0, reached) : undefined,
    bands: steps.flatMap((step, index) => {
      const from = step.value === null ? 0 : share(step.value);
      const to = share(steps[index + 1]?.value ?? max);
      return to - from < 0.002 ? [] : [{ path: arc(92, from, to), color: step.color }];
    }),
  };
}

/** An arc of the dial between two shares of it. */
function arc(radius: number, from: number, to: number): string {
  const large = (to - from) * sweep > Math.PI ? 1 : 0;
  return `M${place(radius, from)} A${radius} ${radius} 0 ${large} 1 ${place(radius, to)}`;
}

function place(radius: number, share: number): string {
  const angle = Math.PI - droop + share * sweep;
  const x = centre.x + radius * Math.cos(angle);
  const y = centre.y + radius * Math.sin(angle);
  return `${x.toFixed(2)} ${y.toFixed(2)}`;
}
