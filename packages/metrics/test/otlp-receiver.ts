import { createServer, type RequestListener, type Server } from 'node:http';

/** A span as received. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  /** The span's bytes as text, to search for secrets. */
  readonly raw: string;
}

type Field = { readonly number: number; readonly value: Buffer | number };

/** The fields of one protobuf message, by the encoding's own rules and independent of any OpenTelemetry package. */
function* fields(message: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = message[at] as number;
      at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const wire = tag & 7;
    if (wire === 0) yield { number: tag >>> 3, value: varint() };
    else {
      const length = wire === 2 ? varint() : wire === 1 ? 8 : 4;
      yield { number: tag >>> 3, value: message.subarray(at, at + length) };
      at += length;
    }
  }
}

function inner(message: Buffer, number: number): Buffer[] {
  return [...fields(message)]
    .filter((field) => field.number === number && Buffer.isBuffer(field.value))
    .map(({ value }) => value as Buffer);
}

function toSpan(message: Buffer): ReceivedSpan {
  const bytes = (number: number): Buffer => inner(message, number)[0] ?? Buffer.alloc(0);
  return {
    traceId: bytes(1).toString('hex'),
    spanId: bytes(2).toString('hex'),
    parentSpanId: bytes(4).toString('hex'),
    name: bytes(5).toString(),
    kind: [...fields(message)].find(({ number }) => number === 6)?.value as number,
    raw: message.toString('latin1'),
  };
}

/** Receives OTLP traces over HTTP in protobuf. */
export async function startOtlpReceiver(): Promise<{
  url: string;
  spans: ReceivedSpan[];
  stop(): Promise<void>;
}> {
  const spans: ReceivedSpan[] = [];
  const { url, stop } = await listen((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      for (const resource of inner(body, 1))
        for (const scope of inner(resource, 2)) spans.push(...inner(scope, 2).map(toSpan));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  return { url, spans, stop };
}

/** A server on a port of its own; `stop` drops its connections. */
export async function listen(
  listener: RequestListener,
): Promise<{ url: string; stop(): Promise<void>; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, stop, server };
}
