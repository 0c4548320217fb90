/** Child process: what importing and creating metrics adds to the start of a process. */
const start = performance.now();
if (process.argv[2] === 'weir') {
  const { createMetrics } = await import('@weir/metrics');
  createMetrics({ service: 'bench' });
} else if (process.argv[2] === 'prom-client') {
  const { default: client } = await import('prom-client');
  client.collectDefaultMetrics();
}
process.send?.({ addedMs: performance.now() - start });
process.disconnect?.();
setImmediate(() => process.exit(0));
