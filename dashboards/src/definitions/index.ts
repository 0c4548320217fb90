import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { overview } from './overview.ts';

/** Every dashboard, general to specific: the order of menus. */
export const definitions: readonly DashboardDefinition[] = [overview];
