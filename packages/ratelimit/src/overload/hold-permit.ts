import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Completion, Permit } from './concurrency-limiter.ts';

/** How long a handler may go on after its client left before its permit is taken from it, in ms. */
const orphanMs = 10_000;
/** How often, in ms, it is looked whether a request stands still because its client does. */
const lookMs = 1000;
/** Answers without an end, which carry events when there are some. */
const eventStream = /^\s*(text\/event-stream|multipart\/x-mixed-replace|application\/grpc)/i;

/**
 * Holds the permit while the server works on the request: until the handler ends the answer, even if the client has left,
 * since to admit others in place of work that goes on is how a server that many callers give up on is buried. Says
 * false, and releases it, when there is nobody to answer any more.
 *
 * What waits for the client is not work. A stream of events gives the permit back when its head is written, an upgraded
 * connection at once; {@link pauseWhileStalled} covers the others. When a client leaves an answer that has begun or that
 * a stream makes, the stream ends by itself, and the permit goes back.
 */
export function holdUntilAnswered(response: ServerResponse, permit: Permit | undefined): boolean {
  if (permit === undefined) return true;
  const isGone = response.closed || response.destroyed;
  // `upgrade` is true of requests that Node handed to the server's `upgrade` listeners.
  if (isGone || (response.req as { upgrade?: boolean } | undefined)?.upgrade === true) {
    permit.release('ignored');
    return !isGone;
  }
  const stop = pauseWhileStalled(response, permit);
  let orphan: NodeJS.Timeout | undefined;
  let isPiped = false;
  const release = (completion: Completion): void => {
    stop();
    clearTimeout(orphan);
    permit.release(completion);
  };
  const { end, writeHead } = response;
  response.end = function ended(this: ServerResponse, ...args: unknown[]): ServerResponse {
    release(completionOf(response.statusCode));
    return end.apply(this, args as never);
  } as typeof end;
  // Node calls it for every answer, also when the handler does not.
  response.writeHead = function began(this: ServerResponse, ...args: unknown[]): ServerResponse {
    const result = writeHead.apply(this, args as never);
    if (eventStream.test(contentType(response, args))) release('ignored');
    return result;
  } as typeof writeHead;
  // Before the first event nothing is written.
  response.once('pipe', () => {
    isPiped = true;
    if (eventStream.test(contentType(response, []))) release('ignored');
  });
  response.once('close', () => {
    if (response.writableEnded) return;
    if (response.headersSent || isPiped) release('ignored');
    else orphan = setTimeout(() => release('ignored'), orphanMs).unref();
  });
  return true;
}

/** Looks of requests under way, made together. */
const looks = new Set<() => void>();
let looking: NodeJS.Timeout | undefined;

/**
 * Pauses the permit while the client of a request sends no more of its body, or takes no more of an answer that has
 * begun, for one to two seconds; so does a handler that writes nothing for that long. When bytes move on, or the whole
 * body has come, the request takes its place again. Returns how to stop.
 */
export function pauseWhileStalled(response: ServerResponse, permit: Permit): () => void {
  let last = -1;
  const look = (): void => {
    const { req, socket, headersSent } = response;
    const bytes = socket == null ? 0 : socket.bytesRead + socket.bytesWritten;
    const waits = headersSent || (req !== undefined && hasBody(req) && !req.complete);
    if (waits && bytes === last) permit.pause();
    else permit.resume();
    last = bytes;
  };
  looks.add(look);
  looking ??= setInterval(lookAtAll, lookMs).unref();
  return () => void looks.delete(look);
}

function lookAtAll(): void {
  for (const look of looks) look();
  if (looks.size > 0) return;
  clearInterval(looking);
  looking = undefined;
}

/** Headers given to `writeHead` alone are not among those that `getHeader` finds. */
function contentType(response: ServerResponse, args: readonly unknown[]): string {
  const given = args.find((argument) => typeof argument === 'object' && argument !== null);
  const flat = Array.isArray(given) ? given.flat() : Object.entries(given ?? {}).flat();
  for (let index = 0; index < flat.length; index += 2) {
    if (String(flat[index]).toLowerCase() === 'content-type') return String(flat[index + 1]);
  }
  return String(response.getHeader('content-type') ?? '');
}

/** 503 and 504 say that something behind is overloaded. */
export function completionOf(status: number): Completion {
  return status === 503 || status === 504 ? 'dropped' : 'ok';
}

/**
 * Waits until a request's body has come, or as much of it as Node reads ahead (64 KiB): only then has the server something
 * to do. Reads nothing itself. Resolves also when the client leaves.
 */
export async function bodyArrived(request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A body that someone reads already is not waited for: to listen would stop it.
  if (!hasBody(request) || request.readableFlowing !== null || isReady(request)) return;
  await new Promise<void>((resolve) => {
    const check = (): void => {
      if (!isReady(request)) return;
      request.off('readable', check).off('close', check).off('error', check);
      resolve();
    };
    request.on('readable', check).on('close', check).on('error', check);
  });
  // Node discards the body that nobody read, but not of a request that was listened to.
  response.once('finish', () => void request.resume());
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function isReady(request: IncomingMessage): boolean {
  const { complete, destroyed, errored, headers, readableLength, readableHighWaterMark } = request;
  const length = Number(headers['content-length'] ?? Number.POSITIVE_INFINITY);
  return (
    complete || destroyed || errored != null || readableLength >= Math.min(length, readableHighWaterMark)
  );
}
