/** How many series colours the style sheet defines: `--series-1` … */
export const seriesColorCount = 10;

/**
 * A colour index for each name: the same name takes the same colour on every panel as far as possible, and no two of
 * a panel share one while there are enough. Names are served in sorted order, so that the order of answers is moot.
 */
export function assignSeriesColors(names: readonly string[]): ReadonlyMap<string, number> {
  const taken = new Set<number>();
  const colors = new Map<string, number>();
  for (const name of [...new Set(names)].sort()) {
    let index = hash(name) % seriesColorCount;
    for (let tries = 0; taken.has(index) && tries < seriesColorCount; tries++) {
      index = (index + 1) % seriesColorCount;
    }
    taken.add(index);
    if (taken.size === seriesColorCount) taken.clear();
    colors.set(name, index + 1);
  }
  return colors;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
