import type { JSX } from 'preact';
import { type ActiveTarget, targets } from '../api/prometheus.ts';
import { formatValue } from '../model/format-value.ts';
import { formatAge } from '../model/time-range.ts';
import { ScrollRegion } from '../ui/popover.tsx';
import { useAsync, useTicks } from '../ui/use-async.ts';

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

/** The targets' state on one line; those that fail come first, with their error. */
export function TargetsStrip(): JSX.Element {
  const ticks = useTicks(5000);
  const { data, error } = useAsync(targets, [ticks]);
  const ordered = [...(data ?? [])].sort((a, b) => rank(a) - rank(b));
  return (
    <section class="targets-strip" aria-label="Targets">
      <h2 class="strip-title">Targets</h2>
      {data === undefined && error === undefined && <span class="strip-words">…</span>}
      {data === undefined && error !== undefined && (
        <span class="strip-words" role="alert">
          {error}
        </span>
      )}
      {data?.length === 0 && (
        <span class="strip-words">None configured. Name them under “targets” in weir.config.json.</span>
      )}
      <ul>
        {ordered.map((target) => (
          <li key={target.scrapeUrl} class={`target target-${target.health}`}>
            <span class="target-dot" aria-hidden="true" />
            <b>{target.labels.job}</b>
            <span class="target-instance">{target.labels.instance}</span>
            <span class="target-state">{stateOf(target)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function rank({ health }: ActiveTarget): number {
  return health === 'down' ? 0 : health === 'unknown' ? 1 : 2;
}

/** `up, 4 s ago`, with the error of the last scrape: why it failed, or why samples of it were not stored. */
export function stateOf(target: ActiveTarget, nowMs: number = Date.now()): string {
  if (target.health === 'unknown' || target.lastScrape.startsWith('0001')) return 'not scraped yet';
  const age = formatAge(nowMs - Date.parse(target.lastScrape));
  const error = target.lastError || (target.health === 'up' ? '' : 'no reason given');
  return `${target.health}, ${age}${error === '' ? '' : `: ${error}`}`;
}
