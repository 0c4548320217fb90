import { micromark } from 'micromark';
import { gfm, gfmHtml } from 'micromark-extension-gfm';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { ChartModel } from '../model/chart-model.ts';
import type { Panel } from '../model/dashboard.ts';
import { displayValue } from '../model/display.ts';
import { formatValue } from '../model/format-value.ts';
import { reduce } from '../model/frame.ts';
import { formatMoment } from '../model/time-range.ts';
import { interpolate, type Scope } from '../model/variables.ts';
import { Popover, ScrollRegion } from '../ui/popover.tsx';
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

/** Words in Markdown. HTML within them is shown as text and unsafe links go: micromark's own rule. */
export function TextPanel({ panel, scope }: { readonly panel: Panel; readonly scope: Scope }): JSX.Element {
  const { content = '' } = panel.options ?? {};
  const html = useMemo(
    () => micromark(interpolate(content, scope), { extensions: [gfm()], htmlExtensions: [gfmHtml()] }),
    [content, scope],
  );
  return (
    <ScrollRegion label={panel.title}>
      <div class="text-panel" dangerouslySetInnerHTML={{ __html: html }} />
    </ScrollRegion>
  );
}

const listed = 10;

/** The slowest observations whose traces are known, behind a button: with links where the service knows the tracer. */
export function Traces(props: {
  readonly model: ChartModel;
  readonly title: string;
  readonly traceUrl: string | undefined;
}): JSX.Element {
  const { model, title, traceUrl } = props;
  const { exemplars = [], unit, decimals } = model;
  const slowest = [...exemplars].sort((a, b) => b.value - a.value).slice(0, listed);
  return (
    <div class="traces">
      <Popover class="traces-open" sign={`◆ ${exemplars.length}`} label={`Traces behind “${title}”`}>
        <table>
          <caption>Traces, the highest first</caption>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col" class="number">
                Value
              </th>
              <th scope="col">Trace</th>
            </tr>
          </thead>
          <tbody>
            {slowest.map(({ at, value, traceId }) => (
              <tr key={at + traceId}>
                <td>
                  {formatMoment(at * 1000)
                    .split(' ')
                    .at(-1)}
                </td>
                <td class="number">{formatValue(value, unit, decimals)}</td>
                <td>
                  <Trace id={traceId} url={traceUrl} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Popover>
    </div>
  );
}

function Trace({ id, url }: { readonly id: string; readonly url: string | undefined }): JSX.Element {
  const short = <code title={id}>{id.slice(0, 8)}…</code>;
  if (url !== undefined) {
    return (
      <a href={url.replaceAll('{traceId}', encodeURIComponent(id))} target="_blank" rel="noreferrer">
        {short}
      </a>
    );
  }
  return (
    <button
      type="button"
      class="quiet"
      title={`Copy ${id}`}
      aria-label={`Copy trace ${id}`}
      onClick={() => void navigator.clipboard?.writeText(id)}
    >
      {short}
    </button>
  );
}
