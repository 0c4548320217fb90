export { type DashboardFile, dashboards } from './dashboards.ts';
