import type { Socket } from 'node:net';
import type { FailureKind } from '../result/result.ts';
import type { ResolvedRequest } from '../scenario/scenario.ts';
import { connectTarget, readyEvent, type TlsTrust } from '../scenario/target.ts';
import { type ResponseHead, ResponseParser } from './response-parser.ts';

/** A received answer. */
export interface ReceivedAnswer {
  readonly head: ResponseHead;
  /** Empty unless {@link HttpConnection.send} keeps it. */
  readonly body: Buffer;
  /** Received bytes, head included. */
  readonly bytes: number;
  /** Another request may be sent at once. */
  readonly reusable: boolean;
}

/** Events of a connection. */
interface ConnectionHandler {
  /** The connection is usable; called once. */
  readonly onReady: (connection: HttpConnection) => void;
  /** The request in flight was answered. */
  readonly onAnswer: (connection: HttpConnection, answer: ReceivedAnswer) => void;
  /** The connection has ended; a request in flight got no answer. */
  readonly onLost: (connection: HttpConnection, kind: FailureKind) => void;
}

const nothing: Buffer = Buffer.alloc(0);

/** A keep-alive connection with at most one request in flight. */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #handler: ConnectionHandler;
  readonly #parser: ResponseParser;
  #ready = false;
  #busy = false;
  #lost = false;
  #bytes = 0;
  /** Pieces of the body in flight, when it is kept. */
  #body: Buffer[] | undefined;
  #failure: FailureKind = 'cut';

  constructor(target: URL, trust: TlsTrust | undefined, handler: ConnectionHandler) {
    this.#handler = handler;
    this.#parser = new ResponseParser({
      // A copy: the chunk is valid only until the call returns.
      onBody: (chunk) => this.#body?.push(Buffer.from(chunk)),
      onAnswer: (head, keepAlive) => this.#answer(head, keepAlive),
    });
    const socket = connectTarget(target, trust, (chunk) => this.#receive(chunk));
    this.#socket = socket;
    socket.once(readyEvent(target), () => {
      this.#ready = true;
      handler.onReady(this);
    });
    socket.on('error', () => {});
    socket.once('end', () => {
      if (!this.#parser.finish() && this.#busy) this.#lose('cut');
    });
    socket.once('close', () => this.#lose(this.#ready ? this.#failure : 'refused'));
  }

  /** Sends a request. The connection must be ready, with no request in flight. */
  send(request: WireRequest, keepBody = false): void {
    this.#busy = true;
    this.#bytes = 0;
    this.#body = keepBody ? [] : undefined;
    this.#parser.expect(request.method);
    this.#socket.write(request.bytes);
  }

  /** Closes at once, without an event. */
  destroy(): void {
    this.#lost = true;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    if (this.#lost) return;
    this.#bytes += chunk.length;
    // Bytes without a request make the next answer ambiguous.
    if (this.#busy && this.#parser.execute(chunk)) return;
    this.#failure = 'malformed';
    this.#lose('malformed');
  }

  #answer(head: ResponseHead, keepAlive: boolean): void {
    this.#busy = false;
    if (this.#lost) return;
    if (!keepAlive) this.destroy();
    const body = this.#body === undefined ? nothing : Buffer.concat(this.#body);
    this.#body = undefined;
    this.#handler.onAnswer(this, { head, body, bytes: this.#bytes, reusable: keepAlive });
  }

  #lose(kind: FailureKind): void {
    if (this.#lost) return;
    this.destroy();
    this.#handler.onLost(this, kind);
  }
}

/** A serialised request. */
export interface WireRequest {
  readonly method: string;
  readonly bytes: Buffer;
}

/** Serialises a request for keep-alive HTTP/1.1. `Host` is the target's unless the request sets one. */
export function toWire(request: ResolvedRequest, host: string): WireRequest {
  const body = request.body === undefined ? undefined : Buffer.from(request.body, 'utf8');
  let head = `${request.method} ${request.path} HTTP/1.1\r\n`;
  if (!Object.keys(request.headers).some((name) => name.toLowerCase() === 'host'))
    head += `host: ${host}\r\n`;
  for (const [name, value] of Object.entries(request.headers)) head += `${name}: ${value}\r\n`;
  if (body !== undefined) head += `content-length: ${body.length}\r\n`;
  const bytes = Buffer.from(`${head}\r\n`, 'latin1');
  return { method: request.method, bytes: body === undefined ? bytes : Buffer.concat([bytes, body]) };
}
