/** V8's CPU profile, as in `node:inspector` and `.cpuprofile` files; only the fields that are read. */
export interface CpuProfile {
  readonly nodes: readonly CpuProfileNode[];
  readonly samples?: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas?: readonly number[];
}

/** A node of the call tree. */
interface CpuProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    /** From 0. */
    readonly lineNumber: number;
  };
  readonly children?: readonly number[];
  /** Samples by line, from 1. */
  readonly positionTicks?: readonly { readonly line: number; readonly ticks: number }[];
}

/** Time by call path and by line, in microseconds, without idle time. */
export interface StackTimes {
  /** Self time. The key is the frames joined with `;`, outermost first. */
  readonly stacks: ReadonlyMap<string, number>;
  readonly lines: ReadonlyMap<string, number>;
  readonly totalUs: number;
  /** Number of samples of all times, from which the standard error of a time follows. */
  readonly samples: number;
}

const outside = new Set(['(root)', '(program)', '(idle)']);

/** `name file:line`, with the line of the function, so that a function has the same name in both builds. */
function frameName(node: CpuProfileNode, root: string): string {
  const { functionName, url, lineNumber } = node.callFrame;
  const name = (functionName || '(anonymous)').replaceAll(';', ',');
  return url === '' ? name : `${name} ${shorten(url, root)}:${lineNumber + 1}`;
}

/**
 * Sums a profile. Paths are relative to `root`, so that a file has the same name in two checkouts.
 *
 * @param root directory of the build
 */
export function readStackTimes(profile: CpuProfile, root: string): StackTimes {
  const self = new Map<number, number>();
  const hits = new Map<number, number>();
  const { samples = [], timeDeltas = [] } = profile;
  samples.forEach((id, index) => {
    // A sample covers the time until the next one.
    const us = timeDeltas[index + 1] ?? 0;
    self.set(id, (self.get(id) ?? 0) + Math.max(us, 0));
    hits.set(id, (hits.get(id) ?? 0) + 1);
  });
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const stacks = new Map<string, number>();
  const lines = new Map<string, number>();
  let totalUs = 0;
  let busySamples = 0;
  const visit = (id: number, path: string): void => {
    const node = nodes.get(id);
    if (node === undefined) return;
    const { functionName, url } = node.callFrame;
    const skipped = outside.has(functionName);
    const here = skipped ? path : `${path}${path === '' ? '' : ';'}${frameName(node, root)}`;
    const us = self.get(id) ?? 0;
    if (us > 0 && !skipped) {
      stacks.set(here, (stacks.get(here) ?? 0) + us);
      totalUs += us;
      busySamples += hits.get(id) ?? 0;
      addLines(node, us, { file: shorten(url, root), frame: frameName(node, root) }, lines);
    }
    for (const child of node.children ?? []) visit(child, here);
  };
  const [top] = profile.nodes;
  if (top !== undefined) visit(top.id, '');
  return { stacks, lines, totalUs, samples: busySamples };
}

/** A line before the function's first line belongs to code that V8 inlined from an unknown place. */
function addLines(
  node: CpuProfileNode,
  us: number,
  place: { readonly file: string; readonly frame: string },
  lines: Map<string, number>,
): void {
  const { file, frame } = place;
  if (file === '') return;
  const ticks = (node.positionTicks ?? []).reduce((sum, position) => sum + position.ticks, 0);
  for (const { line, ticks: part } of node.positionTicks ?? []) {
    const inlined = line <= node.callFrame.lineNumber;
    const key = inlined ? `line ${line} of code inlined into ${frame}` : `${file}:${line}`;
    lines.set(key, (lines.get(key) ?? 0) + (us * part) / ticks);
  }
}

function shorten(url: string, root: string): string {
  const path = url.startsWith('file://') ? decodeURIComponent(url.slice('file://'.length)) : url;
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
}

/** V8's sampled heap profile; only the fields that are read. */
interface HeapProfile {
  readonly head: HeapProfileNode;
}

interface HeapProfileNode {
  readonly callFrame: CpuProfileNode['callFrame'];
  readonly selfSize: number;
  readonly children: readonly HeapProfileNode[];
}

/** Mean bytes between two samples. */
export const samplingBytes = 32_768;

/** Bytes allocated and still held, by call path, in the shape of {@link StackTimes} with bytes in place of microseconds. */
export function readHeapStacks(profile: HeapProfile, root: string): StackTimes {
  const stacks = new Map<string, number>();
  let total = 0;
  let samples = 0;
  const visit = (node: HeapProfileNode, path: string): void => {
    const top = node.callFrame.functionName === '(root)';
    const here = top
      ? path
      : `${path}${path === '' ? '' : ';'}${frameName({ id: 0, callFrame: node.callFrame }, root)}`;
    if (node.selfSize > 0 && !top) {
      stacks.set(here, (stacks.get(here) ?? 0) + node.selfSize);
      total += node.selfSize;
      samples += node.selfSize / samplingBytes;
    }
    for (const child of node.children) visit(child, here);
  };
  visit(profile.head, '');
  return { stacks, lines: new Map(), totalUs: total, samples: Math.ceil(samples) };
}
