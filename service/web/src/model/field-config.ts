import type { FieldConfig, FieldConfigSource, Override } from './dashboard.ts';

/** What an override can match a series by. */
export interface SeriesIdentity {
  readonly name: string;
  readonly refId: string;
}

/** The defaults with every override that matches the series laid over them, later ones last, as Grafana does. */
export function fieldConfigFor(source: FieldConfigSource | undefined, series: SeriesIdentity): FieldConfig {
  let config: FieldConfig = source?.defaults ?? {};
  for (const override of source?.overrides ?? []) {
    if (!matches(override.matcher, series)) continue;
    for (const { id, value } of override.properties) config = withProperty(config, id, value);
  }
  return config;
}

function matches({ id, options }: Override['matcher'], series: SeriesIdentity): boolean {
  if (id === 'byName') return series.name === options;
  if (id === 'byFrameRefID') return series.refId === options;
  if (id === 'byRegexp' && typeof options === 'string') return regexp(options).test(series.name);
  return false;
}

/** Grafana writes `/pattern/flags` or a bare pattern. The patterns come from committed dashboards, not from users. */
function regexp(text: string): RegExp {
  const parts = /^\/(.*)\/([a-z]*)$/.exec(text);
  return parts === null ? new RegExp(text) : new RegExp(parts[1] ?? '', parts[2]);
}

function withProperty(config: FieldConfig, id: string, value: unknown): FieldConfig {
  if (!id.startsWith('custom.')) return { ...config, [id]: value };
  return { ...config, custom: { ...config.custom, [id.slice('custom.'.length)]: value } };
}
