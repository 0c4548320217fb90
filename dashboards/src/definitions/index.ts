import type { DashboardDefinition } from '../grafana/dashboard.ts';
import type { Slo } from '../slo.ts';
import { benchmarks } from './benchmarks.ts';
import { cache } from './cache.ts';
import { database } from './database.ts';
import { http } from './http.ts';
import { overview } from './overview.ts';
import { ratelimit } from './ratelimit.ts';
import { runtime } from './runtime.ts';
import { service } from './service.ts';

/** Every dashboard, general to specific; each answers one question. */
export function definitions(slo: Slo): readonly DashboardDefinition[] {
  return [overview, http(slo), cache, ratelimit, database, runtime, benchmarks, service];
}
