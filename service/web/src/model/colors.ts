const shades: readonly [prefix: string, mix: string][] = [
  ['super-light-', 'white 45%'],
  ['semi-dark-', 'black 15%'],
  ['light-', 'white 25%'],
  ['dark-', 'black 30%'],
];

/** The page's own tone for a colour name of Grafana; other CSS colours stay themselves. */
export function grafanaColor(name: string): string {
  if (name === 'transparent' || name.startsWith('#') || name.includes('(')) return name;
  for (const [prefix, mix] of shades) {
    if (name.startsWith(prefix)) return `color-mix(in oklab, var(--g-${name.slice(prefix.length)}), ${mix})`;
  }
  return `var(--g-${name})`;
}

/** The `repeat`-th use of one colour on a chart: each is mixed further into the ground, so that all stay apart. */
export function repeatedColor(color: string, repeat: number): string {
  return repeat === 0 ? color : `color-mix(in oklab, ${color}, var(--panel) ${Math.min(60, repeat * 22)}%)`;
}

let probe: HTMLElement | undefined;

/** A CSS colour expression as a canvas understands it, in the present theme. */
export function resolveColor(expression: string, opacityPercent = 100): string {
  if (probe === undefined) {
    probe = document.createElement('span');
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color =
    opacityPercent >= 100 ? expression : `color-mix(in srgb, ${expression} ${opacityPercent}%, transparent)`;
  return getComputedStyle(probe).color;
}
