import { type CpuProfileNode, frameName, type StackTimes } from './cpu-profile.ts';

/** V8's sampled heap profile; only what is read here. */
export interface HeapProfile {
  readonly head: HeapProfileNode;
}

interface HeapProfileNode {
  readonly callFrame: CpuProfileNode['callFrame'];
  readonly selfSize: number;
  readonly children: readonly HeapProfileNode[];
}

/** Mean bytes between two samples. */
export const samplingBytes = 32_768;

/** Bytes allocated and still held, by path of calls; in the shape of a CPU profile's times, with bytes for microseconds. */
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
