/** A file of https://www.speedscope.app/file-format-schema.json with sampled profiles, as far as it is read here. */
export interface SpeedscopeFile {
  readonly name?: string;
  readonly shared: { readonly frames: readonly { readonly name: string }[] };
  readonly profiles: readonly {
    readonly type: string;
    readonly name: string;
    readonly unit: string;
    readonly samples: readonly (readonly number[])[];
    readonly weights: readonly number[];
  }[];
}

/** A function called on one path, with its time (or bytes) a request in both builds. */
export interface FlameFrame {
  readonly name: string;
  readonly head: number;
  readonly base: number;
  /** Without what its callees took. */
  readonly headSelf: number;
  readonly baseSelf: number;
  /** The widest first. */
  readonly children: readonly FlameFrame[];
}

interface Growing {
  readonly name: string;
  head: number;
  base: number;
  headSelf: number;
  baseSelf: number;
  readonly children: Map<number, Growing>;
}

/** All stacks of the file's profiles in one tree; the profile whose name begins with `base` is the base. */
export function flameTree(file: SpeedscopeFile): { readonly root: FlameFrame; readonly unit: string } {
  const grow = (name: string): Growing => ({
    name,
    head: 0,
    base: 0,
    headSelf: 0,
    baseSelf: 0,
    children: new Map(),
  });
  const root = grow('a request');
  const names = relativeNames(file.shared.frames.map(({ name }) => name));
  for (const profile of file.profiles) {
    if (profile.type !== 'sampled') continue;
    const arm = profile.name.startsWith('base') ? 'base' : 'head';
    profile.samples.forEach((stack, index) => {
      const weight = profile.weights[index] ?? 0;
      let frame = root;
      frame[arm] += weight;
      for (const id of stack) {
        let child = frame.children.get(id);
        if (child === undefined) {
          child = grow(names[id] ?? '?');
          frame.children.set(id, child);
        }
        child[arm] += weight;
        frame = child;
      }
      frame[`${arm}Self`] += weight;
    });
  }
  return { root: settle(root), unit: file.profiles[0]?.unit === 'bytes' ? 'bytes' : 'µs' };
}

const place = /^(.* )(\/.*\/)([^/]*)$/;

/** Names without the directory that all absolute paths among them share: where a machine keeps a build says nothing of it. */
function relativeNames(names: readonly string[]): readonly string[] {
  const paths = names.flatMap((name) => {
    const directory = place.exec(name)?.[2];
    return directory === undefined ? [] : [directory.split('/').slice(0, -1)];
  });
  const [first, ...others] = paths;
  if (first === undefined) return names;
  let shared = first.length;
  for (const path of others) {
    let same = 0;
    while (same < shared && path[same] === first[same]) same++;
    shared = same;
  }
  const prefix = `${first.slice(0, shared).join('/')}/`;
  return names.map((name) =>
    name.replace(place, (_, what, directory: string, rest) => what + directory.slice(prefix.length) + rest),
  );
}

function settle({ children, ...frame }: Growing): FlameFrame {
  const settled = [...children.values()].map(settle);
  return { ...frame, children: settled.sort((a, b) => width(b) - width(a)) };
}

/** What a frame's width shows: the greater of both builds, so that what only one has is seen. */
export function width({ head, base }: FlameFrame): number {
  return Math.max(head, base);
}

/** A function wherever it was called. */
export interface FlameFunction {
  readonly name: string;
  readonly head: number;
  readonly base: number;
}

/** Functions by their own time, those that differ most first. */
export function topFunctions(root: FlameFrame, count: number): readonly FlameFunction[] {
  const found = new Map<string, { name: string; head: number; base: number }>();
  const visit = (frame: FlameFrame): void => {
    const known = found.get(frame.name) ?? { name: frame.name, head: 0, base: 0 };
    known.head += frame.headSelf;
    known.base += frame.baseSelf;
    found.set(frame.name, known);
    frame.children.forEach(visit);
  };
  root.children.forEach(visit);
  const differ = ({ head, base }: FlameFunction): number => Math.abs(head - base);
  return [...found.values()].sort((a, b) => differ(b) - differ(a) || b.head - a.head).slice(0, count);
}
