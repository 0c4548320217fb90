/**
 * `node --import @weir/metrics/register app.js`: tracing before the program's first line, set up by the standard OTEL_* variables.
 * OTEL_SDK_DISABLED=true leaves everything off, and then OpenTelemetry is not loaded.
 */
if (process.env.OTEL_SDK_DISABLED?.toLowerCase() !== 'true') {
  const { startTracing } = await import('./tracing/index.ts');
  const keepSlowMs = process.env.WEIR_TRACING_KEEP_SLOW_MS;
  startTracing(keepSlowMs === undefined ? {} : { keepSlowMs: Number(keepSlowMs) });
}
