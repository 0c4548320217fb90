interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly scriptId: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly children: number[];
}

/** V8's `.cpuprofile`, as Chrome's developer tools and editors open it. */
export interface CpuProfileFile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly endTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/**
 * A CPU profile from own times (µs) by path of calls, frames joined with `;`, each `name file:line`. Every path is one
 * sample as long as all its time: what was called when is not known any more, how long is exact.
 */
export function cpuProfileOf(profiles: readonly ReadonlyMap<string, number>[]): CpuProfileFile {
  const nodes: ProfileNode[] = [];
  const children = new Map<ProfileNode, Map<string, ProfileNode>>();
  const add = (frame: string): ProfileNode => {
    const match = /^(.*) (\S+):(\d+)$/.exec(frame);
    const node: ProfileNode = {
      id: nodes.length + 1,
      callFrame: {
        functionName: match?.[1] ?? frame,
        scriptId: '0',
        url: match?.[2] ?? '',
        lineNumber: Number(match?.[3] ?? 0) - 1,
        columnNumber: -1,
      },
      children: [],
    };
    nodes.push(node);
    children.set(node, new Map());
    return node;
  };
  const root = add('(root)');
  const times = new Map<ProfileNode, number>();
  for (const stacks of profiles)
    for (const [stack, us] of stacks) {
      let node = root;
      for (const frame of stack.split(';')) {
        const below = children.get(node) as Map<string, ProfileNode>;
        let child = below.get(frame);
        if (child === undefined) {
          child = add(frame);
          below.set(frame, child);
          node.children.push(child.id);
        }
        node = child;
      }
      times.set(node, (times.get(node) ?? 0) + us);
    }
  const ordered = [...times];
  // A sample lasts until the next one's delta has passed; a last sample of the root ends the one before.
  const samples = [...ordered.map(([{ id }]) => id), root.id];
  const timeDeltas = [0, ...ordered.map(([, us]) => Math.round(us))];
  return {
    nodes,
    startTime: 0,
    endTime: timeDeltas.reduce((sum, us) => sum + us, 0),
    samples,
    timeDeltas,
  };
}
