import type { DashboardEntry } from '../../../src/http/page-routes.ts';
import type { Dashboard } from '../model/dashboard.ts';
import { requestJson } from './http.ts';

/** Every dashboard, general to specific. */
export function listDashboards(): Promise<readonly DashboardEntry[]> {
  return requestJson('/dashboards');
}

/** The very JSON that Grafana imports. */
export function loadDashboard(uid: string): Promise<Dashboard> {
  return requestJson(`/dashboards/${encodeURIComponent(uid)}`);
}
