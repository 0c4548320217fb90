import type { JSX } from 'preact';
import { targets } from '../api/prometheus.ts';
import { formatValue } from '../format/format-value.ts';
import { ScrollRegion } from '../ui/scroll-region.tsx';
import { useAsync, useTicks } from '../ui/use-async.ts';
import { stateOf } from './targets-strip.tsx';

/** Every target with its labels, last scrape and error. */
export function TargetsPage(): JSX.Element {
  const ticks = useTicks(5000);
  const { data, error } = useAsync(targets, [ticks]);
  return (
    <div class="page">
      <h1>Targets</h1>
      <p class="lead">
        What the service scrapes: targets of weir.config.json and of the lists that it names, and those that
        registered where it allows them.
      </p>
      {error !== undefined && <p role="alert">{error}</p>}
      {data?.length === 0 && <p>No targets are configured. Name them under “targets” in weir.config.json.</p>}
      {data !== undefined && data.length > 0 && (
        <ScrollRegion label="Targets">
          <table>
            <thead>
              <tr>
                <th scope="col">Job</th>
                <th scope="col">Instance</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  Took
                </th>
                <th scope="col">Labels</th>
                <th scope="col">Address</th>
              </tr>
            </thead>
            <tbody>
              {data.map((target) => (
                <tr key={target.scrapeUrl} class={`target-${target.health}`}>
                  <th scope="row">{target.labels.job}</th>
                  <td>{target.labels.instance}</td>
                  <td>
                    <span class="target-dot" aria-hidden="true" /> {stateOf(target)}
                  </td>
                  <td class="number">{formatValue(target.lastScrapeDuration, 's')}</td>
                  <td>{otherLabels(target.labels)}</td>
                  <td>
                    <code>{target.scrapeUrl}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </div>
  );
}

function otherLabels({ job: _, instance: __, ...others }: Readonly<Record<string, string>>): string {
  return Object.entries(others)
    .map(([label, value]) => `${label}=${value}`)
    .join(', ');
}
