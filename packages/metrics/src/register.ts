/**
 * `node --import @weir/metrics/register app.js` starts tracing before the program's first line, configured by the standard OTEL_* variables and
 * WEIR_TRACING_KEEP_SLOW_MS. With OTEL_SDK_DISABLED=true tracing stays off and OpenTelemetry is not loaded.
 */
if (process.env.OTEL_SDK_DISABLED?.toLowerCase() !== 'true') {
  const { startTracing } = await import('./tracing/index.ts');
  const keepSlowMs = process.env.WEIR_TRACING_KEEP_SLOW_MS;
  startTracing(keepSlowMs === undefined ? {} : { keepSlowMs: Number(keepSlowMs) });
}
