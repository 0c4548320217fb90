import type { PageSettings } from '../../../src/http/page-routes.ts';
import { requestJson } from './http.ts';

/** The settings; they change only with the configuration. */
export function loadSettings(): Promise<PageSettings> {
  return requestJson('/page-settings');
}
