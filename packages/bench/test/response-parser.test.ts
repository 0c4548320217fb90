import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ResponseParser } from '../src/load/response-parser.ts';

interface Parsed {
  readonly status: number;
  readonly body: string;
  readonly keepAlive: boolean;
}

function parse(chunks: readonly Buffer[], method = 'GET', end = false): Parsed[] | 'malformed' {
  const parsed: Parsed[] = [];
  let body = '';
  const parser = new ResponseParser({
    onBody: (chunk) => {
      body += chunk.toString('latin1');
    },
    onAnswer: ({ status }, keepAlive) => {
      parsed.push({ status, body, keepAlive });
      body = '';
    },
  });
  parser.expect(method);
  for (const chunk of chunks) {
    if (!parser.execute(chunk)) return 'malformed';
    // The generator reuses its read buffer.
    chunk.fill(0);
  }
  if (end) parser.finish();
  return parsed;
}

const whole = (text: string, method?: string, end?: boolean) =>
  parse([Buffer.from(text, 'latin1')], method, end);

const body = fc.string({ unit: 'binary-ascii', maxLength: 300 });
const sized = body.map((text) => ({
  wire: `HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  text,
}));
const chunked = fc.array(body.filter((text) => text.length > 0)).map((parts) => ({
  wire: `HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\n${parts
    .map((part) => `${part.length.toString(16)};ext=1\r\n${part}\r\n`)
    .join('')}0\r\nTrailer: x\r\n\r\n`,
  text: parts.join(''),
}));

test('answers are found whatever the pieces in which they arrive', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(sized, chunked), { minLength: 1, maxLength: 4 }),
      fc.infiniteStream(fc.nat(40)),
      (answers, sizes) => {
        const wire = Buffer.from(answers.map((answer) => answer.wire).join(''), 'latin1');
        const chunks: Buffer[] = [];
        for (let from = 0; from < wire.length; ) {
          const size = 1 + (sizes.next().value as number);
          chunks.push(Buffer.from(wire.subarray(from, from + size)));
          from += size;
        }
        expect(parse(chunks)).toEqual(
          answers.map(({ text }) => ({ status: 200, body: text, keepAlive: true })),
        );
      },
    ),
  );
});

test('bytes at random never throw', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (chunks) => {
      parse(chunks.map((chunk) => Buffer.from(chunk)));
    }),
  );
});

test.each([
  [
    'HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n',
    'GET',
    false,
    [{ status: 204, body: '', keepAlive: true }],
  ],
  [
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
    'GET',
    false,
    [{ status: 304, body: '', keepAlive: true }],
  ],
  [
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n',
    'HEAD',
    false,
    [{ status: 200, body: '', keepAlive: true }],
  ],
  [
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    'POST',
    false,
    [{ status: 200, body: '', keepAlive: true }],
  ],
  [
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi',
    'GET',
    false,
    [{ status: 200, body: 'hi', keepAlive: false }],
  ],
  [
    'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi',
    'GET',
    false,
    [{ status: 200, body: 'hi', keepAlive: false }],
  ],
  [
    'HTTP/1.1 200 OK\r\n\r\nuntil the end',
    'GET',
    true,
    [{ status: 200, body: 'until the end', keepAlive: false }],
  ],
  ['HTTP/1.1 200 OK\r\n\r\nnot ended', 'GET', false, []],
] as const)('%j to %s', (wire, method, end, expected) => {
  expect(whole(wire, method, end)).toEqual(expected);
});

test.each([
  'SSH-2.0-OpenSSH\r\n\r\n',
  'HTTP/2 200\r\n\r\n',
  'HTTP/1.1 20 OK\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiX\r\n',
  `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}\r\n\r\n`,
])('%.40j is malformed', (wire) => {
  expect(whole(wire)).toBe('malformed');
});

const chunks = '2\r\nhi\r\n0\r\n\r\n';

test.each([
  ['Transfer-Encoding: chunked', chunks, true],
  ['Transfer-Encoding: Chunked', chunks, true],
  ['transfer-encoding:chunked', chunks, true],
  ['Transfer-Encoding: gzip, chunked', chunks, true],
  ['Transfer-Encoding: gzip,chunked', chunks, true],
  ['Transfer-Encoding: gzip ,\tchunked ', chunks, true],
  ['Transfer-Encoding: gzip,, chunked,', chunks, true],
  ['Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked', chunks, true],
  ['Transfer-Encoding: chunked\r\nConnection: keep-alive,close', chunks, false],
  ['Content-Length: 2\r\nConnection: Close', 'hi', false],
  ['Content-Length: 2\r\nConnection: upgrade,close', 'hi', false],
  ['Content-Length: 2\r\nConnection: keep-alive\r\nConnection: close', 'hi', false],
  ['Content-Length: 2\r\nConnection: x-close', 'hi', true],
  ['Content-Length: 2, 2', 'hi', true],
])('a list-based field is read by its members: %j', (field, sent, keepAlive) => {
  expect(whole(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n${sent}`)).toEqual([
    { status: 200, body: 'hi', keepAlive },
  ]);
});

test.each([
  ['HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2', true],
  ['HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 2', false],
])('HTTP/1.0 keeps a connection only where it says so: %j', (head, keepAlive) => {
  expect(whole(`${head}\r\n\r\nhi`)).toEqual([{ status: 200, body: 'hi', keepAlive }]);
});

test('a body whose last coding is not chunked lasts until the connection ends', () => {
  expect(whole('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nhi', 'GET', true)).toEqual([
    { status: 200, body: 'hi', keepAlive: false },
  ]);
});
