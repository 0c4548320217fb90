/** The longest pause believed, in ms: a server that says a year is wrong, or not to be waited for. */
const MAX_PAUSE_MS = 3_600_000;

/** The header fields that matter here; names as the server wrote them do not. */
export type GetHeader = (name: string) => string | null | undefined;

/**
 * How long, in ms, a server asks its client to stay away: `Retry-After` (seconds or a date, RFC 9110) of a 429 or 503,
 * and the `t` of every policy of `RateLimit` that has nothing remaining (draft-ietf-httpapi-ratelimit-headers-11).
 * What cannot be parsed asks nothing.
 */
export function pauseMs(status: number, header: GetHeader, wallClockMs: number): number {
  let pause = 0;
  const retryAfter = header('retry-after')?.trim();
  if ((status === 429 || status === 503) && retryAfter !== undefined && retryAfter !== '') {
    const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - wallClockMs;
    if (ms > 0) pause = ms;
  }
  for (const item of (header('ratelimit') ?? '').matchAll(/"[^"]*"((?:;[^,"]*)*)/g)) {
    const parameters = item[1] ?? '';
    const remaining = /;\s*r=(\d+)/.exec(parameters)?.[1];
    const seconds = /;\s*t=(\d+)/.exec(parameters)?.[1];
    if (remaining !== undefined && Number(remaining) === 0)
      pause = Math.max(pause, Number(seconds ?? 0) * 1000);
  }
  return Math.min(pause, MAX_PAUSE_MS);
}
