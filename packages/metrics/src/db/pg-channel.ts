/**
 * The tracing channel `pg:query`, which node-postgres means to publish on. A client that is seen to do so is no longer timed by
 * wrapped callbacks: the channel tells the end of each of its queries, and none is counted twice. Nothing is read of a message
 * but its identity, its error and the number of rows.
 */
import { subscribe } from 'node:diagnostics_channel';

const CHANNEL = 'tracing:pg:query';

/** What is known of one client's driver. */
export interface PgPublisher {
  publishes: boolean;
}

/** Ends one query. */
export type EndQuery = (outcome: { readonly failed: boolean; readonly rows?: number | undefined }) => void;

interface Message {
  readonly error?: unknown;
  readonly result?: { readonly rowCount?: unknown };
}

let calling: PgPublisher | undefined;
let waiting: EndQuery | undefined;
const ends = new WeakMap<object, EndQuery>();
let subscribed = false;

function onStart(message: unknown): void {
  if (calling === undefined) return;
  calling.publishes = true;
  if (waiting !== undefined) ends.set(message as object, waiting);
  waiting = undefined;
}

function finish(message: unknown): void {
  const end = ends.get(message as object);
  if (end === undefined) return;
  ends.delete(message as object);
  const { error, result } = message as Message;
  const rows = typeof result?.rowCount === 'number' ? result.rowCount : undefined;
  end({ failed: error !== undefined, rows });
}

/** Subscribes, once a process. */
export function createPublisher(): PgPublisher {
  if (!subscribed) {
    subscribed = true;
    subscribe(`${CHANNEL}:start`, onStart);
    subscribe(`${CHANNEL}:asyncStart`, finish);
    // What throws at once has no asynchronous end.
    subscribe(`${CHANNEL}:end`, (message) => {
      if ((message as Message).error !== undefined) finish(message);
    });
  }
  return { publishes: false };
}

/** Comes right before the driver's own call; with `end` the channel is relied on to tell the query's end. */
export function enterDriver(publisher: PgPublisher, end?: EndQuery): void {
  calling = publisher;
  waiting = end;
}

/** Comes right after it. A driver that did not publish when it was relied on is timed by its callbacks again. */
export function leaveDriver(): void {
  if (waiting !== undefined && calling !== undefined) calling.publishes = false;
  calling = undefined;
  waiting = undefined;
}
