import type { TimeRange } from '../time/range.ts';
import { interpolate, type Scope } from '../variables/interpolate.ts';

/**
 * Where a link of a dashboard leads on this page: `/d/<uid>` becomes the dashboard here, `${__url_time_range}` and
 * `${name:queryparam}` become parameters. `undefined` for anything but http, https and paths of this page.
 */
export function resolveLink(url: string, scope: Scope, range: TimeRange): string | undefined {
  const text = url
    .replace(/\$\{__url_time_range\}/g, `from=${Math.round(range.fromMs)}&to=${Math.round(range.toMs)}`)
    .replace(/\$\{(\w+):queryparam\}/g, (_, name: string) => parameter(name, scope))
    .replace(/^\/d\/([\w-]+)(\/[\w-]*)?/, '/ui/dashboards/$1');
  const href = interpolate(text, scope).replace(/&{2,}/g, '&').replace(/\?&/, '?').replace(/[?&]$/, '');
  return /^(https?:\/\/|\/(?!\/))/.test(href) ? href : undefined;
}

function parameter(name: string, scope: Scope): string {
  const value = scope[name];
  // Raw text is the pattern for "all"; the URL then names nothing.
  if (value === undefined || typeof value === 'string') return '';
  return value.map((one) => `var-${name}=${encodeURIComponent(one)}`).join('&');
}
