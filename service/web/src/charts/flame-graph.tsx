import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { type FlameFrame, width } from '../model/flame.ts';

/** Narrower frames, as a share of the graph, could not be read or hit. */
const narrowest = 0.002;
const deepest = 60;

interface Placed {
  readonly frame: FlameFrame;
  readonly level: number;
  readonly left: number;
  readonly share: number;
  readonly path: readonly FlameFrame[];
}

/**
 * Calls from above downwards, as wide as their time a request; red took more in head than in base, blue less. A click
 * or Enter on a frame fills the width with it; the way back stands above.
 */
export function FlameGraph(props: {
  readonly root: FlameFrame;
  readonly format: (value: number) => string;
}): JSX.Element {
  const { root, format } = props;
  const [path, setPath] = useState<readonly FlameFrame[]>([]);
  const top = path.at(-1) ?? root;
  const frames = useMemo(() => place(top, path), [top, path]);
  const levels = 1 + Math.max(...frames.map(({ level }) => level));
  return (
    <div class="flame">
      <nav class="flame-path" aria-label="Calls above">
        {[root, ...path].map((frame, index) => (
          <button key={index} type="button" class="quiet" onClick={() => setPath(path.slice(0, index))}>
            {shortName(frame.name)}
          </button>
        ))}
      </nav>
      <div class="flame-frames" style={{ '--levels': String(levels) }}>
        {frames.map(({ frame, level, left, share, path: way }) => (
          <button
            key={`${level} ${left} ${frame.name}`}
            type="button"
            class="flame-frame"
            title={describe(frame, format)}
            aria-label={describe(frame, format)}
            onClick={() => setPath(way)}
            style={{
              '--level': String(level),
              '--left': String(left),
              '--share': String(share),
              '--heat': String(heat(frame, root)),
            }}
            data-change={frame.head >= frame.base ? 'more' : 'less'}
          >
            {share > 0.02 && shortName(frame.name)}
          </button>
        ))}
      </div>
    </div>
  );
}

function place(top: FlameFrame, path: readonly FlameFrame[]): readonly Placed[] {
  const found: Placed[] = [];
  const visit = (
    frame: FlameFrame,
    level: number,
    left: number,
    share: number,
    way: readonly FlameFrame[],
  ): void => {
    if (share < narrowest || level > deepest) return;
    found.push({ frame, level, left, share, path: way });
    // Children may sum to more than their parent where each is as wide as its wider build: scaled to fit.
    const sum = frame.children.reduce((total, child) => total + width(child), 0);
    const scale = share / Math.max(sum, width(frame), 1e-9);
    let at = left;
    for (const child of frame.children) {
      visit(child, level + 1, at, width(child) * scale, [...way, child]);
      at += width(child) * scale;
    }
  };
  visit(top, 0, 0, 1, path);
  return found;
}

function describe({ name, head, base }: FlameFrame, format: (value: number) => string): string {
  return base === 0 && head === 0
    ? name
    : `${name}: ${format(head)} a request in head, ${format(base)} in base`;
}

/** Full colour at a tenth of a request. */
function heat({ head, base }: FlameFrame, root: FlameFrame): number {
  return Math.round(Math.min(1, (Math.abs(head - base) / Math.max(width(root), 1e-9)) * 10) * 100);
}

/** The function without its file: `render src/page.ts:40` is `render`. */
function shortName(name: string): string {
  return /^(.+?) \S*[/:]\S*$/.exec(name)?.[1] ?? name;
}
