import { stringify } from 'yaml';
import { type Settings, slugOf } from '../customise.ts';

/** A data source that speaks Prometheus' API. */
interface SourceSpec {
  readonly name: string;
  readonly uid: string;
  readonly url: string;
  /** The scrape interval: `$__rate_interval` follows from it. */
  readonly scrapeInterval: string;
}

/** Grafana's dashboard provider that loads the files below `path`. */
export function renderProvider(settings: Settings, path: string): string {
  const provider = {
    name: slugOf(settings.prefix),
    folder: settings.prefix,
    type: 'file',
    // What is generated is changed where it is generated.
    allowUiUpdates: false,
    disableDeletion: true,
    updateIntervalSeconds: 30,
    options: { path },
  };
  return stringify({ apiVersion: 1, providers: [provider] });
}

/** Grafana's data sources, the first being its default; exemplars lead to the Tempo at `tempoUrl`, if there is one. */
export function renderSources(
  settings: Settings,
  sources: readonly SourceSpec[],
  tempoUrl: string | undefined,
): string {
  const common = { access: 'proxy', editable: false };
  const exemplars = [{ name: 'trace_id', datasourceUid: settings.traces, urlDisplayLabel: 'Trace' }];
  const prometheus = sources.map(({ name, uid, url, scrapeInterval }, index) => ({
    name,
    uid,
    type: 'prometheus',
    ...common,
    url,
    isDefault: index === 0,
    jsonData: {
      httpMethod: 'POST',
      prometheusType: 'Prometheus',
      timeInterval: scrapeInterval,
      ...(tempoUrl === undefined ? {} : { exemplarTraceIdDestinations: exemplars }),
    },
  }));
  const tempo = { name: 'Tempo', uid: settings.traces, type: 'tempo', ...common, url: tempoUrl };
  return stringify(
    { apiVersion: 1, datasources: [...prometheus, ...(tempoUrl === undefined ? [] : [tempo])] },
    { aliasDuplicateObjects: false },
  );
}
