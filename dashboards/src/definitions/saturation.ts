import { rate } from '../grafana/query.ts';

/** Names a series by its process. */
export const instanceLegend = '{{job}} {{instance}}';

const loopTime = 'nodejs_eventloop_time_seconds_total';

/** Share of time (0–1) that event loops were active, apart by `by`. */
export function loopUtilisation(by: readonly string[]): string {
  const labels = by.join(', ');
  const active = rate(loopTime, 'nodejs_eventloop_state="active"');
  return `sum by (${labels}) (${active}) / sum by (${labels}) (${rate(loopTime)})`;
}
