import type { JSX } from 'preact';
import { displayValue } from '../model/display.ts';
import { reduce } from '../model/reduce.ts';
import { ScrollRegion } from '../ui/scroll-region.tsx';
import type { PanelView } from './panel.tsx';

/** Labels and last value of every series, the largest first. */
export function TablePanel({ panel, data }: PanelView): JSX.Element {
  const labels = [...new Set(data.series.flatMap((series) => Object.keys(series.labels)))].filter(
    (label) => label !== '__name__',
  );
  const rows = data.series
    .map((series) => ({ ...series, value: reduce(series.values, 'lastNotNull') }))
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
  return (
    <ScrollRegion label={panel.title}>
      <table>
        <thead>
          <tr>
            {labels.map((label) => (
              <th scope="col" key={label}>
                {label}
              </th>
            ))}
            <th scope="col" class="number">
              Value
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ refId, name, labels: own, value, config }) => (
            <tr key={refId + name + JSON.stringify(own)}>
              {labels.map((label) => (
                <td key={label}>{own[label] ?? ''}</td>
              ))}
              <td class="number">{displayValue(config, value).text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}
