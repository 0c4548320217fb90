import { createHash } from 'node:crypto';
import type { BenchmarkResult } from '../result.ts';
import type { ServiceRun } from '../service/run-at-service.ts';
import { askService, type ServiceAddress, serviceName } from '../service/service-client.ts';
import type { HistoryStore } from './open-history.ts';

const readLast = 1_000;

/** A history that a Weir service keeps, beside the runs that it made itself. */
export function serviceHistory(service: ServiceAddress): HistoryStore {
  return {
    /** Only that it is there: whether the token may push is known when it does. */
    async assertWritable() {
      const response = await askService(service, '/healthz');
      await response.body?.cancel();
    },
    async append(result) {
      const body = JSON.stringify(result);
      const response = await askService(service, `/benchmarks/${serviceName(result.name)}/results`, {
        method: 'POST',
        body,
        // A result that is pushed twice, because an answer was lost, is one.
        headers: { 'idempotency-key': createHash('sha256').update(body).digest('hex') },
      });
      await response.body?.cancel();
      return new URL(response.headers.get('location') ?? '/', service.url).href;
    },
    async read(name) {
      const path = `/benchmarks/${serviceName(name)}/runs?limit=${readLast}`;
      const runs = (await (await askService(service, path)).json()) as ServiceRun[];
      // Newest first there, oldest first here.
      const results = runs
        .reverse()
        .flatMap(({ result }): BenchmarkResult[] => (result === null ? [] : [result]));
      return { results, skippedLines: 0 };
    },
  };
}
