import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Readable, Transform } from 'node:stream';
import type { Answer } from './answer.ts';
import type { Exchange, IncomingRequest } from './exchange.ts';
import { fieldsOf } from './fields.ts';
import type { ResponseCache } from './response-cache.ts';

type Arguments = readonly unknown[];

/** Writes an answer as the whole response. */
export function send(response: ServerResponse, answer: Answer, callback?: () => void): void {
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  response.end(answer.body ?? '', callback);
}

/**
 * Stands between a handler and its `node:http` response. A body that comes in one piece is held for the moment of the decision;
 * one that is written in parts is decided about before its first byte, then passes as it comes. Returns a function that
 * ends this: what the framework sends from then on passes as it is.
 */
export function capture(response: ServerResponse, exchange: Exchange, maxBodyBytes: number): () => void {
  const { end, write, writeHead } = response;
  const tap = new BodyTap(maxBodyBytes);
  let state: 'undecided' | 'passing' | 'collecting' | 'replaced' = 'undecided';
  // A client that left must not hold up those who wait.
  response.once('close', () => exchange.abandon());
  if (response.destroyed) exchange.abandon();

  const restore = () => {
    Object.assign(response, { write, end, writeHead });
  };
  const replace = (answer: Answer, callback?: () => void) => {
    state = 'replaced';
    restore();
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    send(response, answer, callback);
    // What the handler still has to say goes nowhere.
    response.write = ((...args: Arguments) => later(args)) as typeof write;
    response.end = ((...args: Arguments) => {
      later(args);
      return response;
    }) as typeof end;
  };
  const decideHead = () => {
    const decision = exchange.head(response.statusCode, fieldsOf(response.getHeaders()));
    if (decision.kind === 'answer') {
      replace(decision.answer);
      return;
    }
    response.setHeader('cache-status', decision.cacheStatus);
    state = decision.kind === 'pass' ? 'passing' : 'collecting';
  };

  // Node calls it for implicit headers too, hence every way of streaming comes through here.
  response.writeHead = ((status: number, ...rest: Arguments) => {
    if (state === 'passing')
      return writeHead.apply(response, [status, ...rest] as Parameters<typeof writeHead>);
    response.statusCode = status;
    setHeaders(response, rest.at(-1));
    if (state === 'undecided') decideHead();
    if (state === 'replaced') return response;
    const message = rest.find((value): value is string => typeof value === 'string');
    if (message !== undefined) response.statusMessage = message;
    return writeHead.call(response, status);
  }) as typeof writeHead;

  response.write = ((...args: Arguments) => {
    if (state === 'undecided') decideHead();
    if (state === 'replaced') return later(args);
    if (state === 'collecting') take(tap, args);
    return write.apply(response, args as Parameters<typeof write>);
  }) as typeof write;

  response.end = ((...args: Arguments) => {
    if (state === 'undecided' && !response.headersSent) {
      take(tap, args);
      const body = tap.body;
      const headers = fieldsOf(response.getHeaders());
      const decision =
        body === undefined
          ? exchange.head(response.statusCode, headers)
          : exchange.whole(response.statusCode, headers, body);
      if (decision.kind === 'answer') {
        replace(decision.answer, callbackOf(args));
        return response;
      }
      response.setHeader('cache-status', decision.cacheStatus);
      if (decision.kind === 'collect') exchange.collected(undefined);
    } else if (state === 'collecting') {
      take(tap, args);
      exchange.collected(tap.body);
    }
    state = 'passing';
    restore();
    return end.apply(response, args as unknown as Parameters<typeof end>);
  }) as typeof end;
  return () => {
    if (state === 'undecided') state = 'passing';
  };
}

/**
 * Holds back the end of a response until it has invalidated what it must: whoever has read it must not find that any more.
 * Returns a function that ends this.
 */
export function invalidateBeforeEnd(
  cache: ResponseCache,
  request: IncomingRequest,
  response: ServerResponse,
): () => void {
  const { end } = response;
  let isPassing = false;
  response.end = ((...args: Arguments) => {
    if (isPassing) return end.apply(response, args as unknown as Parameters<typeof end>);
    isPassing = true;
    cache
      .invalidateAfter(request, response.statusCode, fieldsOf(response.getHeaders()))
      .catch(() => {})
      .finally(() => end.apply(response, args as unknown as Parameters<typeof end>));
    return response;
  }) as typeof end;
  return () => {
    isPassing = true;
  };
}

function setHeaders(response: ServerResponse, headers: unknown): void {
  if (Array.isArray(headers)) {
    for (let index = 0; index + 1 < headers.length; index += 2) {
      response.appendHeader(String(headers[index]), headers[index + 1] as string);
    }
  } else if (typeof headers === 'object' && headers !== null) {
    for (const [name, value] of Object.entries(headers as OutgoingHttpHeaders)) {
      if (value !== undefined) response.setHeader(name, value);
    }
  }
}

function take(tap: BodyTap, [chunk, encoding]: Arguments): void {
  if (typeof chunk === 'string')
    tap.add(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  else if (chunk instanceof Uint8Array) tap.add(chunk);
}

function callbackOf(args: Arguments): (() => void) | undefined {
  return args.find((arg) => typeof arg === 'function') as (() => void) | undefined;
}

function later(args: Arguments): true {
  const callback = callbackOf(args);
  if (callback !== undefined) queueMicrotask(callback);
  return true;
}

/** Copies a body on its way out, up to a bound. */
class BodyTap {
  readonly #maxBytes: number;
  #chunks: Buffer[] | undefined = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Beyond the bound nothing is kept any more. */
  add(chunk: Uint8Array | string, encoding?: BufferEncoding): void {
    if (this.#chunks === undefined) return;
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk);
    this.#bytes += bytes.length;
    if (this.#bytes > this.#maxBytes) this.#chunks = undefined;
    else this.#chunks.push(bytes);
  }

  /** The whole body, or `undefined` when it outgrew the bound. */
  get body(): Buffer | undefined {
    return this.#chunks === undefined ? undefined : Buffer.concat(this.#chunks);
  }
}

/** Whether a payload is a stream of Node or of the web. */
export function isStream(payload: unknown): payload is Readable | ReadableStream {
  if (typeof payload !== 'object' || payload === null) return false;
  return 'pipe' in payload || payload instanceof ReadableStream;
}

/**
 * The same stream, passing on every chunk as it comes, with a copy handed to `onEnd`: the whole body, or `undefined` when
 * it outgrew `maxBytes`. A stream that breaks off never calls it.
 */
export function tapped(
  source: Readable | ReadableStream,
  maxBytes: number,
  onEnd: (body: Buffer | undefined) => void,
): Readable {
  const tap = new BodyTap(maxBytes);
  const copy = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      tap.add(chunk);
      next(null, chunk);
    },
    flush(next) {
      onEnd(tap.body);
      next();
    },
  });
  const stream = source instanceof Readable ? source : Readable.fromWeb(source as never);
  stream.on('error', (error) => copy.destroy(error));
  copy.on('close', () => stream.destroy());
  return stream.pipe(copy);
}
