/** Picks the format of a scrape from its Accept header (RFC 9110, section 12.5.1). */
import type { TextFormat } from './text.ts';

/** A format with the Content-Type that announces it. */
export interface NegotiatedFormat {
  readonly format: TextFormat;
  readonly contentType: string;
}

const TEXT: NegotiatedFormat = Object.freeze({
  format: 'text',
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
});
const OPENMETRICS: NegotiatedFormat = Object.freeze({
  format: 'openmetrics',
  contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
});

function qualityOf(parameters: readonly string[]): number {
  const quality = parameters.find((parameter) => parameter.trim().startsWith('q='));
  const value = quality === undefined ? 1 : Number(quality.trim().slice(2));
  return Number.isFinite(value) ? value : 0;
}

/** The best of what the client accepts; the text format where it says nothing of either. Ties go to OpenMetrics. */
export function negotiate(accept: string | undefined): NegotiatedFormat {
  let best = TEXT;
  let bestQuality = 0;
  for (const part of (accept ?? '').split(',')) {
    const [type, ...parameters] = part.split(';');
    const quality = qualityOf(parameters);
    const name = type?.trim().toLowerCase();
    const version = parameters
      .find((parameter) => parameter.trim().startsWith('version='))
      ?.trim()
      .slice(8);
    const isOpenMetrics =
      name === 'application/openmetrics-text' && (version === undefined || version === '1.0.0');
    const format = isOpenMetrics
      ? OPENMETRICS
      : name === 'text/plain' || name === '*/*' || name === 'text/*'
        ? TEXT
        : undefined;
    if (format === undefined || quality <= 0) continue;
    if (quality > bestQuality || (quality === bestQuality && format === OPENMETRICS)) {
      best = format;
      bestQuality = quality;
    }
  }
  return best;
}
