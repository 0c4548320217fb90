import type { GridPos, Panel } from './dashboard.ts';

/** A row of the dashboard with the panels that belong to it; the first may have no heading. */
export interface Section {
  readonly row: Panel | undefined;
  readonly panels: readonly Panel[];
}

/** Panels under their rows, in reading order. A folded row carries its panels inside; an open one precedes them. */
export function sections(panels: readonly Panel[]): readonly Section[] {
  const found: { row: Panel | undefined; panels: Panel[] }[] = [{ row: undefined, panels: [] }];
  const ordered = [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  for (const panel of ordered) {
    if (panel.type === 'row') found.push({ row: panel, panels: [...(panel.panels ?? [])] });
    else found.at(-1)?.panels.push(panel);
  }
  return found.filter(({ row, panels }) => row !== undefined || panels.length > 0);
}

/**
 * Where a panel lies in its section's own grid of 24 columns, whose first line is the topmost panel's. As custom
 * properties: the style sheet heeds them where the window is wide enough.
 */
export function placeInSection(gridPos: GridPos, top: number): Readonly<Record<string, string>> {
  return {
    '--column': `${gridPos.x + 1} / span ${gridPos.w}`,
    '--row': `${gridPos.y - top + 1} / span ${gridPos.h}`,
    '--h': String(gridPos.h),
  };
}
