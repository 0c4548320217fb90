/** The standard variables of OTLP exporters, for metrics. What is particular to metrics goes before what is common to all signals. */
import { metricsError } from '../errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

// An empty variable counts as one that is not set.
function read(
  env: Environment,
  name: string,
): { readonly variable: string; readonly text: string } | undefined {
  for (const variable of [`OTEL_EXPORTER_OTLP_METRICS_${name}`, `OTEL_EXPORTER_OTLP_${name}`]) {
    const text = env[variable]?.trim();
    if (text !== undefined && text !== '') return { variable, text };
  }
  return undefined;
}

/** The endpoint for metrics: OTEL_EXPORTER_OTLP_METRICS_ENDPOINT as it is, else OTEL_EXPORTER_OTLP_ENDPOINT with `/v1/metrics`. */
export function endpointOf(env: Environment): string | undefined {
  const found = read(env, 'ENDPOINT');
  if (found === undefined || found.variable.includes('METRICS') || !URL.canParse(found.text))
    return found?.text;
  const url = new URL(found.text);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/metrics`;
  return url.href;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.trim());
  } catch {
    // A per cent sign that encodes nothing.
    return text.trim();
  }
}

/**
 * The headers of OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_METRICS_HEADERS, whose entries go before those of the former: `name=value` separated by
 * commas, values percent-encoded. What is no such entry, or no header, is left out with a warning, which does not show the value.
 */
export function headersOf(env: Environment): Headers {
  const headers = new Headers();
  for (const variable of ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_METRICS_HEADERS']) {
    for (const entry of (env[variable] ?? '').split(',')) {
      if (entry.trim() === '') continue;
      const equals = entry.indexOf('=');
      try {
        headers.set(decode(entry.slice(0, Math.max(0, equals))), decode(entry.slice(equals + 1)));
      } catch {
        const name = entry.slice(0, Math.max(0, equals)).trim();
        process.emitWarning(
          `${variable} has an entry that is no header${name === '' ? '' : `: \`${name}\``}. Write \`name=value\`, separated by commas.`,
          'MetricsWarning',
        );
      }
    }
  }
  return headers;
}

/** Milliseconds of a variable; `undefined` where it is not set. */
export function millisecondsOf(env: Environment, ...variables: readonly string[]): number | undefined {
  for (const variable of variables) {
    const text = env[variable]?.trim();
    if (text === undefined || text === '') continue;
    const value = Number(text);
    if (value > 0) return value;
    throw metricsError('ERR_WEIR_METRICS_OPTION', variable, 'milliseconds above 0', text);
  }
  return undefined;
}
