import { DashboardsError, shown } from './errors.ts';
import { defaultSlo, type Slo } from './slo.ts';

/** What a team may choose about dashboards and rules; every part has a default. */
export interface SettingsOptions {
  /** Begins titles (`Acme HTTP`), uids (`acme-http`), alert names (`AcmeTargetDown`) and rule groups. Default `Weir`. */
  readonly prefix?: string;
  /** Name or uid of the data source that dashboards open with. Default: Grafana's own default. */
  readonly datasource?: string;
  /** Label that tells services apart. Default `job`. */
  readonly jobLabel?: string;
  /** Label that tells processes of a service apart. Default `instance`. */
  readonly instanceLabel?: string;
  /** Default: 99.9 % without 5xx, 99 % within 250 ms. */
  readonly slo?: Slo;
  /** Where runbooks lie: begins every `runbook_url`. Default `docs/runbooks/`. */
  readonly runbooks?: string;
  /** Uid of the Tempo data source that panels link to. Default `tempo`. */
  readonly traces?: string;
  /** Shortens every window, `for` and interval of the rules by this factor, to rehearse alerts. Default 1. */
  readonly timeScale?: number;
}

/** {@link SettingsOptions} with nothing left open. */
export type Settings = Readonly<Required<Omit<SettingsOptions, 'datasource'>>> & {
  readonly datasource: string | undefined;
};

/** @throws {DashboardsError} `ERR_WEIR_DASHBOARDS_INVALID_OPTION` for the first option that makes no sense. */
export function resolveSettings(options: SettingsOptions = {}): Settings {
  const {
    prefix = 'Weir',
    datasource,
    jobLabel = 'job',
    instanceLabel = 'instance',
    slo = defaultSlo(),
    runbooks = 'docs/runbooks/',
    traces = 'tempo',
    timeScale = 1,
  } = options;
  if (!/^[A-Z][A-Za-z0-9]*( [A-Za-z0-9]+)*$/.test(prefix) || prefix.length > 20) {
    throw wrong('prefix', 'a capital, then letters, digits and single spaces, 20 at most', prefix);
  }
  for (const [name, label] of Object.entries({ jobLabel, instanceLabel })) {
    if (!/^[a-zA-Z_]\w*$/.test(label)) throw wrong(name, 'a label name such as `service`', label);
  }
  if (jobLabel === instanceLabel)
    throw wrong('instanceLabel', 'another label than `jobLabel`', instanceLabel);
  if (datasource === '') throw wrong('datasource', "a data source's name or uid", datasource);
  if (!/^[\w-]+$/.test(traces)) throw wrong('traces', "a data source's uid", traces);
  if (!(timeScale > 0 && timeScale <= 1))
    throw wrong('timeScale', 'a number above 0 and at most 1', timeScale);
  return Object.freeze({
    prefix,
    datasource,
    jobLabel,
    instanceLabel,
    slo,
    runbooks: runbooks.endsWith('/') ? runbooks : `${runbooks}/`,
    traces,
    timeScale,
  });
}

/** `Acme Shop` → `acme-shop`: begins uids and file names. */
export function slugOf(prefix: string): string {
  return prefix.toLowerCase().replaceAll(' ', '-');
}

function wrong(name: string, expected: string, value: unknown): DashboardsError {
  return new DashboardsError('ERR_WEIR_DASHBOARDS_INVALID_OPTION', name, `${expected}, got ${shown(value)}.`);
}

/**
 * PromQL, a legend or an alert's text with the settings' labels in place of `job` and `instance`. Variables
 * (`$job`) and names of recorded series (`job:…`) keep their names.
 */
export function relabel(
  text: string,
  { jobLabel, instanceLabel }: Pick<Settings, 'jobLabel' | 'instanceLabel'>,
): string {
  const names: Readonly<Record<string, string>> = { job: jobLabel, instance: instanceLabel };
  return text
    .replace(/(?<![$\w:".])(job|instance)(?![\w:"-])/g, (name) => names[name] ?? name)
    .replace(/(\$labels\.)(job|instance)\b/g, (_, before: string, name: string) => before + names[name]);
}

const unitsMs = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
} as const;

/** One PromQL duration times `scale`, to the millisecond and at least 1 ms; `0` units stay `0`. */
export function scaleDuration(text: string, scale: number): string {
  const match = /^(\d+)(ms|[smhdwy])$/.exec(text);
  if (match === null || scale === 1) return text;
  const ms = Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs];
  if (ms === 0) return text;
  const scaled = Math.max(1, Math.round(ms * scale));
  return scaled % 1000 === 0 ? `${scaled / 1000}s` : `${scaled}ms`;
}

/** An expression with every range, subquery step and offset times `scale`. Names of recorded series stay. */
export function scaleTime(expr: string, scale: number): string {
  if (scale === 1) return expr;
  return expr.replace(/(?<=\[|offset |:)\d+(?:ms|[smhdwy])(?=[\]: )]|$)/g, (text) =>
    scaleDuration(text, scale),
  );
}
