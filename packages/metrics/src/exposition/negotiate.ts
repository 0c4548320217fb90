/** Picks the format of a scrape from its Accept header (RFC 9110, section 12.5.1). */
import type { TextFormat } from './text.ts';

/** A format with the Content-Type that announces it. */
interface NegotiatedFormat {
  readonly format: TextFormat | 'protobuf';
  readonly contentType: string;
}

const textFormat: NegotiatedFormat = Object.freeze({
  format: 'text',
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
});
const openMetricsFormat: NegotiatedFormat = Object.freeze({
  format: 'openmetrics',
  contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
});

const protobufFormat: NegotiatedFormat = Object.freeze({
  format: 'protobuf',
  contentType: 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited',
});

const byRichness = [textFormat, openMetricsFormat, protobufFormat];

/** The accepted format of the highest quality, on a tie the richer one; the text format if none is accepted. */
export function negotiate(accept: string | undefined): NegotiatedFormat {
  let best = textFormat;
  let bestQuality = 0;
  for (const part of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = part.split(';');
    const quality = qualityOf(parameters);
    const format = formatOf(type.trim().toLowerCase(), parameters);
    if (format === undefined || quality <= 0 || quality < bestQuality) continue;
    if (quality === bestQuality && byRichness.indexOf(format) < byRichness.indexOf(best)) continue;
    best = format;
    bestQuality = quality;
  }
  return best;
}

function formatOf(type: string, parameters: readonly string[]): NegotiatedFormat | undefined {
  if (type === 'text/plain' || type === '*/*' || type === 'text/*') return textFormat;
  if (type === 'application/openmetrics-text')
    return ['1.0.0', undefined].includes(parameterOf(parameters, 'version')) ? openMetricsFormat : undefined;
  const isFamily = parameterOf(parameters, 'proto') === 'io.prometheus.client.MetricFamily';
  const isDelimited = parameterOf(parameters, 'encoding') === 'delimited';
  return type === 'application/vnd.google.protobuf' && isFamily && isDelimited ? protobufFormat : undefined;
}

function qualityOf(parameters: readonly string[]): number {
  const quality = parameters.find((parameter) => parameter.trim().startsWith('q='));
  const value = quality === undefined ? 1 : Number(quality.trim().slice(2));
  return Number.isFinite(value) ? value : 0;
}

function parameterOf(parameters: readonly string[], name: string): string | undefined {
  const found = parameters
    .map((parameter) => parameter.trim())
    .find((parameter) => parameter.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}
