import type { ServerResponse } from 'node:http';
import type { Completion, Permit } from './concurrency-limiter.ts';

/** How long a handler may go on after its client left before its permit is taken from it, in ms. */
const ORPHAN_MS = 10_000;

/**
 * Holds the permit until the handler ends the answer, even if the client has left: the work goes on, and to admit
 * others in its place is how a server that many callers give up on is buried. Says false, and releases it, when there
 * is nobody to answer any more.
 */
export function holdUntilAnswered(response: ServerResponse, permit: Permit | undefined): boolean {
  if (permit === undefined) return true;
  if (response.closed || response.destroyed) {
    permit.release('ignored');
    return false;
  }
  const end = response.end;
  let orphan: NodeJS.Timeout | undefined;
  response.end = function ended(this: ServerResponse, ...args: unknown[]): ServerResponse {
    clearTimeout(orphan);
    permit.release(completionOf(response.statusCode));
    return end.apply(this, args as never);
  } as typeof end;
  response.once('close', () => {
    if (!response.writableEnded) orphan = setTimeout(() => permit.release('ignored'), ORPHAN_MS).unref();
  });
  return true;
}

/** 503 and 504 say that something behind is overloaded. */
export function completionOf(status: number): Completion {
  return status === 503 || status === 504 ? 'dropped' : 'ok';
}
