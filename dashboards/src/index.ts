export { resolveSettings, type Settings, type SettingsOptions } from './customise.ts';
export { type DashboardFile, dashboards } from './dashboards.ts';
export { DashboardsError } from './errors.ts';
export { renderRules } from './render/rule-file.ts';
export { type Objective, parseSlo, type Slo } from './slo.ts';
