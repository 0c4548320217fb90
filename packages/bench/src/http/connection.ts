import type { Socket } from 'node:net';
import { connectTarget, readyEvent } from '../connect-target.ts';
import type { FailureKind } from '../measurement.ts';
import type { TlsTrust } from '../tls-trust.ts';
import type { WireRequest } from './request-bytes.ts';
import { type ResponseHead, ResponseParser } from './response-parser.ts';

/** What a connection tells its owner. */
export interface ConnectionHandler {
  /** Usable now; called once. */
  readonly onReady: (connection: HttpConnection) => void;
  /** The request in flight was answered; when `reusable`, another may be sent at once. */
  readonly onAnswer: (
    connection: HttpConnection,
    head: ResponseHead,
    bytes: number,
    reusable: boolean,
  ) => void;
  /** The connection is gone; whatever was in flight got no answer. */
  readonly onLost: (connection: HttpConnection, kind: FailureKind) => void;
  /** Pieces of bodies, where they are wanted; each is valid only until the call returns. */
  readonly onBody?: (connection: HttpConnection, chunk: Buffer) => void;
}

/** A keep-alive connection with at most one request in flight. */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #handler: ConnectionHandler;
  readonly #parser: ResponseParser;
  #ready = false;
  #busy = false;
  #lost = false;
  #bytes = 0;
  #failure: FailureKind = 'cut';

  constructor(target: URL, trust: TlsTrust | undefined, handler: ConnectionHandler) {
    this.#handler = handler;
    const { onBody } = handler;
    this.#parser = new ResponseParser({
      ...(onBody === undefined ? {} : { onBody: (chunk: Buffer) => onBody(this, chunk) }),
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

  /** Only when ready and nothing is in flight. */
  send(request: WireRequest): void {
    this.#busy = true;
    this.#bytes = 0;
    this.#parser.expect(request.method);
    this.#socket.write(request.bytes);
  }

  /** Closes at once, without telling the owner. */
  destroy(): void {
    this.#lost = true;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    if (this.#lost) return;
    this.#bytes += chunk.length;
    // Bytes that nobody asked for make the next answer ambiguous.
    if (this.#busy && this.#parser.execute(chunk)) return;
    this.#failure = 'malformed';
    this.#lose('malformed');
  }

  #answer(head: ResponseHead, keepAlive: boolean): void {
    this.#busy = false;
    if (this.#lost) return;
    if (keepAlive) {
      this.#handler.onAnswer(this, head, this.#bytes, true);
      return;
    }
    this.destroy();
    this.#handler.onAnswer(this, head, this.#bytes, false);
  }

  #lose(kind: FailureKind): void {
    if (this.#lost) return;
    this.destroy();
    this.#handler.onLost(this, kind);
  }
}
