import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { benchmarks } from './benchmarks.ts';
import { cache } from './cache.ts';
import { database } from './database.ts';
import { http } from './http.ts';
import { overview } from './overview.ts';
import { ratelimit } from './ratelimit.ts';
import { runtime } from './runtime.ts';
import { service } from './service.ts';

/** Every dashboard, general to specific: the order of menus. */
export const definitions: readonly DashboardDefinition[] = [
  overview,
  http,
  cache,
  ratelimit,
  database,
  runtime,
  benchmarks,
  service,
];
