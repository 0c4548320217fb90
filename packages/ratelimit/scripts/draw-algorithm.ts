import { timeOriginUs } from '../src/clock.ts';
import { createVerdict, decide } from '../src/policies/decision.ts';
import { compilePlan } from '../src/policies/plan.ts';
import type { Policy } from '../src/policies/policy.ts';

const WIDTH = 720;
const HEIGHT = 190;
const LEFT = 44;
const RIGHT = 700;
const TOP = 26;
const BOTTOM = 150;
const WINDOWS = 3;

/**
 * Draws what an algorithm admits of steady pressure at three times its limit that begins late in the first window: the
 * requests of each twentieth of a window, admitted over denied, and the sum admitted in the window before each moment.
 */
export function drawAlgorithm(policy: Policy, bound: number): string {
  const plan = compilePlan([policy]);
  const cells = new Float64Array(plan.width);
  const verdict = createVerdict(plan);
  const bins = WINDOWS * 20;
  const windowUs = policy.windowMs * 1000;
  const admitted: number[] = [];
  const perBin = Array.from({ length: bins }, () => ({ admitted: 0, denied: 0 }));
  for (let time = 0; time < WINDOWS * windowUs; time += windowUs / (policy.limit * 3)) {
    if (time > windowUs * 0.02 && time < windowUs * 0.85) continue;
    decide(plan, cells, 0, timeOriginUs + 20 * windowUs + Math.floor(time), 1, 1, verdict);
    const bin = perBin[Math.floor((time / windowUs) * 20)] as { admitted: number; denied: number };
    if (verdict.granted === 1) {
      bin.admitted++;
      admitted.push(time);
    } else bin.denied++;
  }
  const trailing = perBin.map((_, index) => {
    const until = ((index + 1) * windowUs) / 20;
    return admitted.filter((time) => time <= until && time > until - windowUs).length;
  });
  const highest = bound * 1.1;
  const y = (units: number): number => BOTTOM - (units / highest) * (BOTTOM - TOP);
  const x = (bin: number): number => LEFT + (bin / bins) * (RIGHT - LEFT);
  // Bars have a scale of their own: a twentieth of a window at full pressure is 45 high.
  const unit = 45 / ((policy.limit * 3) / 20);
  const barWidth = (RIGHT - LEFT) / bins - 2;
  const bars = perBin.flatMap(({ admitted: yes, denied }, index) => [
    bar(x(index), BOTTOM - yes * unit, barWidth, yes * unit, 'a'),
    bar(x(index), BOTTOM - (yes + denied) * unit, barWidth, denied * unit, 'd'),
  ]);
  const line = trailing.map((units, index) => `${round(x(index + 1))},${round(y(units))}`).join(' ');
  const rule = (units: number, name: string): string =>
    `<line x1="${LEFT}" x2="${RIGHT}" y1="${round(y(units))}" y2="${round(y(units))}" class="r"/><text x="${LEFT - 6}" y="${round(y(units) + 4)}" text-anchor="end">${name}</text>`;
  const rules =
    bound === policy.limit
      ? rule(bound, 'N')
      : rule(policy.limit, 'N') + rule(bound, `${round(bound / policy.limit)}N`);
  const edges = Array.from(
    { length: WINDOWS + 1 },
    (_, index) =>
      `<text x="${round(x(index * 20))}" y="${BOTTOM + 16}" text-anchor="middle">${index}W</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Admissions of ${policy.algorithm} under three times its limit">
<style>text{font:12px system-ui,sans-serif;fill:#667}.a{fill:#2a7de1}.d{fill:#d0d4dc}.r{stroke:#c33;stroke-dasharray:4 4}.s{fill:none;stroke:#e08a00;stroke-width:2}@media(prefers-color-scheme:dark){text{fill:#aab}.d{fill:#454b57}}</style>
${bars.filter((item) => item !== '').join('\n')}
<polyline class="s" points="${line}"/>
${rules}
${edges.join('\n')}
<text x="${LEFT}" y="${HEIGHT - 6}">blue admitted, grey denied, line: admitted in the last W</text>
</svg>
`;
}

function bar(x: number, y: number, width: number, height: number, kind: string): string {
  if (height <= 0) return '';
  return `<rect class="${kind}" x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"/>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
