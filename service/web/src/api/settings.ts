import { requestJson } from './http.ts';

/** What the configuration tells the page. */
interface PageSettings {
  /** Where a trace is shown, with `{traceId}` in place of its id. */
  readonly traceUrl: string | null;
}

/** The settings; they change only with the configuration. */
export function loadSettings(): Promise<PageSettings> {
  return requestJson('/page-settings');
}
