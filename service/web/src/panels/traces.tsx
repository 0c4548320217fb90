import type { JSX } from 'preact';
import type { ChartModel } from '../charts/chart-model.ts';
import { formatValue } from '../format/format-value.ts';
import { formatMoment } from '../time/range.ts';
import { Popover } from '../ui/popover.tsx';

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
