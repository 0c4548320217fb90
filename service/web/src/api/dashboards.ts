import type { Dashboard } from '../model/dashboard.ts';
import { requestJson } from './http.ts';

/** A dashboard's entry in the menu. */
interface DashboardEntry {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
}

/** Every dashboard, general to specific. */
export function listDashboards(): Promise<readonly DashboardEntry[]> {
  return requestJson('/dashboards');
}

/** The very JSON that Grafana imports. */
export function loadDashboard(uid: string): Promise<Dashboard> {
  return requestJson(`/dashboards/${encodeURIComponent(uid)}`);
}
