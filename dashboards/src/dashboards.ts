import { index } from './dashboards.gen.ts';

/** A committed dashboard. */
export interface DashboardFile {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** The JSON that Grafana imports, as a `file:` URL. */
  readonly file: URL;
}

/** Every dashboard of this package, general to specific. */
export const dashboards: readonly DashboardFile[] = index.map((entry) => ({
  ...entry,
  file: new URL(`../generated/${entry.uid}.json`, import.meta.url),
}));
