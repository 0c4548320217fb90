import type { RangeSeries, WindowFunction } from './range-windows.ts';

/**
 * `max_over_time` and `min_over_time` in constant time a sample, however long the window: a queue keeps the indices whose
 * values no later value of the window beats, so that its head is the extreme (Lemire 2006). NaN counts only where there is
 * nothing else.
 */
export function slidingExtreme(
  beats: (value: number, other: number) => boolean,
): (series: RangeSeries) => WindowFunction {
  let queue = new Int32Array(0);
  return ({ values }) => {
    if (queue.length < values.length) queue = new Int32Array(values.length);
    let head = 0;
    let tail = 0;
    let seen = 0;
    return ({ from, to }) => {
      for (let index = Math.max(seen, from); index < to; index++) {
        const value = values[index] as number;
        if (Number.isNaN(value)) continue;
        while (tail > head && !beats(values[queue[tail - 1] as number] as number, value)) tail--;
        queue[tail++] = index;
      }
      seen = to;
      while (head < tail && (queue[head] as number) < from) head++;
      return head === tail ? Number.NaN : (values[queue[head] as number] as number);
    };
  };
}
