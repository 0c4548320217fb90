import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import {
  type ArtefactEntry,
  artefactUrl,
  listArtefacts,
  loadRun,
  loadSpeedscope,
  type Run,
} from '../api/benchmarks.ts';
import { FlameGraph } from '../charts/flame-graph.tsx';
import { type FlameFunction, flameTree, type SpeedscopeFile, topFunctions } from '../model/flame.ts';
import { formatValue } from '../model/format-value.ts';
import { formatMoment } from '../model/time-range.ts';
import { ScrollRegion } from '../ui/popover.tsx';
import { useAsync } from '../ui/use-async.ts';
import { RunResult } from './run-result.tsx';

const listed = 12;

/** One run: its result, its flame graph where it was profiled, and all that it left behind. */
export function RunPage({ name, id }: { readonly name: string; readonly id: string }): JSX.Element {
  const run = useAsync(() => loadRun(name, id), [name, id]);
  const artefacts = useAsync(() => listArtefacts(name, id), [name, id]);
  const href = `/ui/benchmarks/${encodeURIComponent(name)}/compare?head=${encodeURIComponent(id)}`;
  return (
    <div class="page page-wide">
      <h1>Run of {name}</h1>
      {run.error !== undefined && <p role="alert">{run.error}</p>}
      {run.data !== undefined && (
        <>
          <p class="lead">
            Started {formatMoment(Date.parse(run.data.startedAt))}, {run.data.status}
            {run.data.error === null ? '' : `: ${run.data.error}`}.{' '}
            <a href={href}>Compare it with another run</a>
          </p>
          {run.data.result !== null && (
            <RunResult run={run.data} result={run.data.result} previous={undefined} />
          )}
        </>
      )}
      {run.data !== undefined && <Artefacts run={run.data} artefacts={artefacts.data ?? []} />}
    </div>
  );
}

function Artefacts(props: {
  readonly run: Run;
  readonly artefacts: readonly ArtefactEntry[];
}): JSX.Element | null {
  const { run, artefacts } = props;
  const profile = artefacts.find(({ name }) => name === 'speedscope.json');
  return (
    <>
      {profile !== undefined && <Flame run={run} />}
      <h2 class="run-files">Files</h2>
      <ul>
        {run.result !== null && (
          <li>
            <a
              href={`/benchmarks/${encodeURIComponent(run.benchmark)}/runs/${encodeURIComponent(run.id)}/report`}
              target="_blank"
              rel="noreferrer"
            >
              Report as one HTML file
            </a>
          </li>
        )}
        {artefacts.map(({ name, bytes }) => (
          <li key={name}>
            <a href={artefactUrl(run, name)} download={name}>
              {name}
            </a>{' '}
            {formatValue(bytes, 'bytes')}
          </li>
        ))}
      </ul>
    </>
  );
}

/** Where the time of a request goes, head against base. */
function Flame({ run }: { readonly run: Run }): JSX.Element {
  const { data, error } = useAsync(() => loadSpeedscope(run), [run]);
  if (error !== undefined) return <p role="alert">The profile cannot be shown. {error}</p>;
  if (data === undefined) return <p role="status">Loading the profile…</p>;
  return <LoadedFlame file={data} />;
}

function LoadedFlame({ file }: { readonly file: SpeedscopeFile }): JSX.Element {
  const { root, unit } = useMemo(() => flameTree(file), [file]);
  const format = (value: number): string => formatValue(value, unit);
  return (
    <section aria-label="Flame graph">
      <h2 class="run-files">Time a request</h2>
      <p class="lead">
        Calls downwards, as wide as the time that a request spends in them. Red takes more in head than in
        base, blue less. Choose a call to see it alone.
      </p>
      <FlameGraph root={root} format={format} />
      <Functions functions={topFunctions(root, listed)} format={format} />
    </section>
  );
}

function Functions(props: {
  readonly functions: readonly FlameFunction[];
  readonly format: (value: number) => string;
}): JSX.Element {
  const { functions, format } = props;
  return (
    <ScrollRegion label="Functions that differ most">
      <table class="run-functions">
        <thead>
          <tr>
            <th scope="col">Function, its own time</th>
            <th scope="col" class="number">
              Base
            </th>
            <th scope="col" class="number">
              Head
            </th>
            <th scope="col" class="number">
              Difference
            </th>
          </tr>
        </thead>
        <tbody>
          {functions.map(({ name, base, head }) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
              </th>
              <td class="number">{format(base)}</td>
              <td class="number">{format(head)}</td>
              <td class={tone(head - base)}>
                {head === base ? '±' : head > base ? '+' : '−'}
                {format(Math.abs(head - base))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}

function tone(difference: number): string {
  if (difference === 0) return 'number';
  return difference > 0 ? 'number bad' : 'number good';
}
