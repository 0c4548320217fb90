/**
 * Frames HTTP/1.1 answers (RFC 9112 section 6): where an answer ends, its status, whether the connection may be used again.
 * It reads each byte of a head once, copies nothing when an answer arrives in one piece, and rejects malformed
 * answers, since a wrong guess of where an answer ends would make the measurement wrong.
 */

/** The head of an answer. */
export interface ResponseHead {
  readonly status: number;
  /** Status line and header lines, without the empty line. */
  readonly text: string;
}

/** Events of a parser. */
interface ResponseHandler {
  /** A piece of the body; valid only until the call returns. */
  readonly onBody?: (chunk: Buffer) => void;
  /** `keepAlive` is false when the server announced the end of the connection. */
  readonly onAnswer: (head: ResponseHead, keepAlive: boolean) => void;
}

type State = 'head' | 'sized' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailers' | 'until-end';

const maxHeadBytes = 65_536;
const headEnd = Buffer.from('\r\n\r\n');
const lineEnd = Buffer.from('\r\n');
const nothing: Buffer = Buffer.alloc(0);

/** One parser serves one connection, answer after answer. */
export class ResponseParser {
  readonly #handler: ResponseHandler;
  #state: State = 'head';
  #held: Buffer = nothing;
  #remaining = 0;
  #head: ResponseHead = { status: 0, text: '' };
  #keepAlive = true;
  #expectsHead = false;
  #trailerBytes = 0;

  constructor(handler: ResponseHandler) {
    this.#handler = handler;
  }

  /** Sets the method of the next answer's request, since an answer to HEAD has no body. */
  expect(method: string): void {
    this.#expectsHead = method === 'HEAD';
  }

  /** @returns false when the bytes are not HTTP/1.1; the connection cannot be used any more */
  execute(chunk: Buffer): boolean {
    let data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = nothing;
    while (data.length > 0) {
      const used = this.#step(data);
      if (used < 0) return false;
      if (used === 0) {
        // A copy: the caller may reuse its buffer.
        this.#held = Buffer.from(data);
        return this.#held.length <= maxHeadBytes;
      }
      data = used === data.length ? nothing : data.subarray(used);
    }
    return true;
  }

  /** The server ended its side. @returns true when this completed an answer that is delimited by the connection's end */
  finish(): boolean {
    if (this.#state !== 'until-end') return false;
    this.#complete();
    return true;
  }

  /** @returns bytes used; 0 when more are needed; -1 when malformed */
  #step(data: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(data);
      case 'sized':
      case 'chunk-data':
        return this.#readBody(data);
      case 'until-end':
        this.#handler.onBody?.(data);
        return data.length;
      case 'chunk-size':
        return this.#readChunkSize(data);
      case 'chunk-end':
        if (data.length < 2) return 0;
        if (data[0] !== 13 || data[1] !== 10) return -1;
        this.#state = 'chunk-size';
        return 2;
      case 'trailers':
        return this.#readTrailer(data);
    }
  }

  #readHead(data: Buffer): number {
    const end = data.indexOf(headEnd);
    if (end < 0) return data.length >= 5 && data.toString('latin1', 0, 5) !== 'HTTP/' ? -1 : 0;
    if (end > maxHeadBytes) return -1;
    const text = data.toString('latin1', 0, end);
    const status = Number(text.slice(9, 12));
    if (!/^HTTP\/1\.[01] [1-9]\d\d(?: |\r|$)/.test(text)) return -1;
    const used = end + 4;
    if (status < 200 && status !== 101) return used;
    this.#head = { status, text };
    const framing = readFraming(text);
    this.#keepAlive = keepsAlive(text, framing.connection);
    return this.#chooseBody(framing, status) ? used : -1;
  }

  /** RFC 9112 section 6.3. @returns false when the framing contradicts itself */
  #chooseBody({ encoding, length }: Framing, status: number): boolean {
    if (this.#expectsHead || status === 204 || status === 304) {
      this.#complete();
      return true;
    }
    if (encoding !== undefined) {
      if (length !== undefined) return false;
      const last = encoding === 'chunked' ? encoding : membersOf(encoding).at(-1);
      this.#state = last === 'chunked' ? 'chunk-size' : 'until-end';
      if (this.#state === 'until-end') this.#keepAlive = false;
      return true;
    }
    if (length === undefined || status === 101) {
      this.#state = 'until-end';
      this.#keepAlive = false;
      return true;
    }
    const [size = length, ...others] = length.includes(',') ? membersOf(length) : [length];
    if (!/^\d{1,15}$/.test(size) || others.some((other) => other !== size)) return false;
    this.#remaining = Number(size);
    if (this.#remaining === 0) this.#complete();
    else this.#state = 'sized';
    return true;
  }

  #readBody(data: Buffer): number {
    const used = Math.min(data.length, this.#remaining);
    this.#handler.onBody?.(used === data.length ? data : data.subarray(0, used));
    this.#remaining -= used;
    if (this.#remaining > 0) return used;
    if (this.#state === 'chunk-data') this.#state = 'chunk-end';
    else this.#complete();
    return used;
  }

  #readChunkSize(data: Buffer): number {
    const end = data.indexOf(lineEnd);
    if (end < 0) return data.length > 1_024 ? -1 : 0;
    const size = /^([0-9a-f]{1,12})[ \t]*(?:;|$)/i.exec(data.toString('latin1', 0, end))?.[1];
    if (size === undefined) return -1;
    this.#remaining = Number.parseInt(size, 16);
    this.#trailerBytes = 0;
    this.#state = this.#remaining === 0 ? 'trailers' : 'chunk-data';
    return end + 2;
  }

  #readTrailer(data: Buffer): number {
    const end = data.indexOf(lineEnd);
    if (end < 0) return 0;
    this.#trailerBytes += end + 2;
    if (this.#trailerBytes > maxHeadBytes) return -1;
    if (end === 0) this.#complete();
    return end + 2;
  }

  #complete(): void {
    this.#state = 'head';
    this.#handler.onAnswer(this.#head, this.#keepAlive);
  }
}

/** The fields that frame an answer, in lower case. Several lines of one field are joined by commas (RFC 9110 section 5.3). */
interface Framing {
  encoding: string | undefined;
  length: string | undefined;
  connection: string | undefined;
}

const framingFields = /\r\n(transfer-encoding|content-length|connection):[ \t]*([^\r]*)/gi;

/** Reads the fields in one pass, since this runs for every answer. */
function readFraming(text: string): Framing {
  const framing: Framing = { encoding: undefined, length: undefined, connection: undefined };
  framingFields.lastIndex = 0;
  for (let match = framingFields.exec(text); match !== null; match = framingFields.exec(text)) {
    const [, name = '', value = ''] = match;
    const found = value.trimEnd().toLowerCase();
    // The names differ in their lengths: 17, 14 and 10.
    if (name.length === 17) framing.encoding = joined(framing.encoding, found);
    else if (name.length === 14) framing.length = joined(framing.length, found);
    else framing.connection = joined(framing.connection, found);
  }
  return framing;
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`;
}

/** The members of a list-based field; empty ones are ignored (RFC 9110 section 5.6.1). */
function membersOf(value: string): string[] {
  return value
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
}

/** RFC 9112 section 9.3: `close` wins; without either, HTTP/1.1 keeps the connection and HTTP/1.0 does not. */
function keepsAlive(text: string, connection: string | undefined): boolean {
  const isCurrent = text.charCodeAt(7) === 49;
  if (connection === undefined) return isCurrent;
  if (connection === 'keep-alive') return true;
  const options = membersOf(connection);
  return !options.includes('close') && (isCurrent || options.includes('keep-alive'));
}

/** The `Location` of a 3xx answer as received; `undefined` for any other answer. */
export function locationOf({ status, text }: ResponseHead): string | undefined {
  if (status < 300 || status > 399) return undefined;
  return /\r\nlocation:[ \t]*([^\r]*)/i.exec(text)?.[1]?.trim();
}
