/** Child process: queries through one pool with one kind of query timing; tells the CPU time of each round. */
import { createRequire } from 'node:module';

const [, , arm, url] = process.argv as [string, string, string, string];
const require = createRequire(import.meta.url);
// As many as the pool has connections: the cost of a query is measured, not that of waiting.
const LANES = 10;

if (arm === 'opentelemetry') {
  const [{ PgInstrumentation }, { TracerProvider, BatchSpanProcessor }] = await Promise.all([
    import('@opentelemetry/instrumentation-pg'),
    import('@opentelemetry/sdk-trace'),
  ]);
  const exporter = {
    export: (_spans: unknown, done: (result: { code: number }) => void) => done({ code: 0 }),
    shutdown: async () => {},
  };
  const provider = new TracerProvider({
    spanProcessors: [new BatchSpanProcessor({ exporter } as never)],
  } as never);
  const instrumentation = new PgInstrumentation({ requireParentSpan: false } as never);
  instrumentation.setTracerProvider(provider as never);
}
const pg = require('pg') as typeof import('pg');
const pool = new pg.Pool({ connectionString: url, max: LANES });
let scrape = async (): Promise<string> => '';
if (arm === 'weir') {
  const { createMetrics } = await import('@weir/metrics');
  const metrics = createMetrics({ service: 'bench', runtime: false });
  metrics.instrument(pool);
  scrape = async () => (await metrics.scrape()).body;
}
const text = 'SELECT id, name FROM bench_products WHERE id = $1';
process.on('message', (message: { queries?: number } | 'count' | 'end') => {
  if (message === 'end') process.exit(0);
  else if (message === 'count') {
    void scrape().then((body) =>
      process.send?.({ count: Number(/duration_seconds_count\{.* (\d+)/.exec(body)?.[1] ?? Number.NaN) }),
    );
  } else {
    void (async () => {
      const start = process.cpuUsage();
      const lanes = Array.from({ length: LANES }, async () => {
        for (let index = 0; index < (message as { queries: number }).queries / LANES; index += 1)
          await pool.query(text, [index % 100]);
      });
      await Promise.all(lanes);
      const { user, system } = process.cpuUsage(start);
      process.send?.({ cpuMicros: user + system });
    })();
  }
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });
