import { Readable, Transform } from 'node:stream';

/** Copies a body on its way out, up to a bound. */
export class BodyTap {
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
