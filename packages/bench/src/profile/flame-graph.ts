import { escapeMarkup } from '../result/format.ts';
import type { ProfiledArm, ProfiledPair } from './culprits.ts';

interface Frame {
  readonly name: string;
  base: number;
  head: number;
  readonly children: Map<string, Frame>;
}

const width = 1_200;
const rowHeight = 18;
/** Narrower frames are not visible. */
const minPixels = 0.4;

/**
 * A differential flame graph as SVG without script. The width is the time per request in head, the colour the change against base (red more,
 * blue less), and the tooltip shows both values. Frames that only base has are not drawn; swap the arms to see them.
 */
export function renderFlameGraph(pairs: readonly ProfiledPair[], unit: string): string {
  const root = mergeFrames(pairs);
  const depth = depthOf(root);
  const height = (depth + 1) * rowHeight + 40;
  const scale = root.head === 0 ? 0 : width / root.head;
  const rects: string[] = [];
  const draw = (frame: Frame, x: number, level: number): void => {
    const w = frame.head * scale;
    if (w < minPixels) return;
    const y = height - (level + 1) * rowHeight - 8;
    const delta = frame.head - frame.base;
    const title = `${frame.name}\n${frame.head.toFixed(2)} ${unit} a request in head, ${frame.base.toFixed(2)} in base (${delta >= 0 ? '+' : '−'}${Math.abs(delta).toFixed(2)})`;
    const label =
      w > 40
        ? `<text x="${(x + 3).toFixed(1)}" y="${y + 13}">${escapeMarkup(frame.name.slice(0, Math.floor(w / 6.6)))}</text>`
        : '';
    rects.push(
      `<g><title>${escapeMarkup(title)}</title><rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(w - 0.5, 0.4).toFixed(1)}" height="${rowHeight - 1}" fill="${colour(delta, root.head)}"/>${label}</g>`,
    );
    let childX = x;
    for (const child of [...frame.children.values()].sort((a, b) => a.name.localeCompare(b.name))) {
      draw(child, childX, level + 1);
      childX += child.head * scale;
    }
  };
  draw(root, 0, 0);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="monospace" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="#fffdf7"/>`,
    `<text x="8" y="18" font-size="13">Time a request in head; red: more than in base, blue: less</text>`,
    ...rects,
    '</svg>',
    '',
  ].join('\n');
}

/** A speedscope file (https://www.speedscope.app/file-format-schema.json) with one profile for each build. */
export function renderSpeedscope(pairs: readonly ProfiledPair[], name: string, unit: 'µs' | 'B'): string {
  const frames: { name: string }[] = [];
  const indices = new Map<string, number>();
  const indexOf = (frame: string): number => {
    const known = indices.get(frame);
    if (known !== undefined) return known;
    indices.set(frame, frames.length);
    return frames.push({ name: frame }) - 1;
  };
  const profile = (arm: 'base' | 'head') => {
    const stacks = new Map<string, number>();
    for (const pair of pairs) {
      for (const [stack, us] of pair[arm].times.stacks)
        stacks.set(stack, (stacks.get(stack) ?? 0) + us / perRun(pair[arm], pairs));
    }
    const weights = [...stacks.values()];
    return {
      type: 'sampled',
      name: `${arm}, a request`,
      unit: unit === 'µs' ? 'microseconds' : 'bytes',
      startValue: 0,
      endValue: weights.reduce((sum, weight) => sum + weight, 0),
      samples: [...stacks.keys()].map((stack) => stack.split(';').map(indexOf)),
      weights,
    };
  };
  const profiles = [profile('head'), profile('base')];
  return `${JSON.stringify({ $schema: 'https://www.speedscope.app/file-format-schema.json', name, exporter: 'weir-bench', activeProfileIndex: 0, shared: { frames }, profiles })}\n`;
}

function mergeFrames(pairs: readonly ProfiledPair[]): Frame {
  const root: Frame = { name: 'a request', base: 0, head: 0, children: new Map() };
  for (const pair of pairs) {
    for (const arm of ['base', 'head'] as const) {
      for (const [stack, us] of pair[arm].times.stacks) {
        const value = us / perRun(pair[arm], pairs);
        root[arm] += value;
        let frame = root;
        for (const name of stack.split(';')) {
          let child = frame.children.get(name);
          if (child === undefined) {
            child = { name, base: 0, head: 0, children: new Map() };
            frame.children.set(name, child);
          }
          child[arm] += value;
          frame = child;
        }
      }
    }
  }
  return root;
}

function perRun(arm: ProfiledArm, pairs: readonly ProfiledPair[]): number {
  return Math.max(arm.requests, 1) * pairs.length;
}

function depthOf(frame: Frame): number {
  return 1 + Math.max(0, ...[...frame.children.values()].map(depthOf));
}

/** Full colour at a tenth of a request. */
function colour(delta: number, total: number): string {
  const strength = Math.min(1, (Math.abs(delta) / Math.max(total, 1e-9)) * 10);
  const fade = Math.round(235 - strength * 150);
  return delta >= 0 ? `rgb(250,${fade},${fade})` : `rgb(${fade},${fade},250)`;
}
