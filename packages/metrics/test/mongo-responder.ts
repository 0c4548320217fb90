import { createServer, type Socket } from 'node:net';
import { BSON } from 'mongodb';

const OP_MSG = 2013;
const OP_QUERY = 2004;

const HELLO = {
  ok: 1,
  isWritablePrimary: true,
  ismaster: true,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  minWireVersion: 0,
  maxWireVersion: 25,
  helloOk: true,
};

function answer(command: Record<string, unknown>): object {
  if ('hello' in command || 'ismaster' in command) return HELLO;
  if ('fail' in command) return { ok: 0, errmsg: 'told to', code: 8000 };
  if ('find' in command)
    return { ok: 1, cursor: { firstBatch: [{ name: 'Ada' }], id: BSON.Long.ZERO, ns: 'app.users' } };
  return { ok: 1, n: 1 };
}

function reply(message: Buffer): Buffer {
  const requestId = message.readInt32LE(4);
  const opCode = message.readInt32LE(12);
  // OP_QUERY: flags, name, skip, limit, document. OP_MSG: flags, kind, document.
  const start = opCode === OP_QUERY ? message.indexOf(0, 20) + 9 : 21;
  const document = Buffer.from(
    BSON.serialize(answer(BSON.deserialize(message.subarray(start, start + message.readInt32LE(start))))),
  );
  const head = opCode === OP_QUERY ? Buffer.alloc(36) : Buffer.alloc(21);
  head.writeInt32LE(head.length + document.length, 0);
  head.writeInt32LE(requestId, 8);
  head.writeInt32LE(opCode === OP_QUERY ? 1 : OP_MSG, 12);
  if (opCode === OP_QUERY) head.writeInt32LE(1, 32);
  return Buffer.concat([head, document]);
}

/** The minimum of MongoDB's wire protocol that the driver accepts as a server. It stores nothing. */
export async function startMongoResponder(): Promise<{ url: string; stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let pending = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= pending.readInt32LE(0)) {
        const length = pending.readInt32LE(0);
        socket.write(reply(pending.subarray(0, length)));
        pending = pending.subarray(length);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `mongodb://127.0.0.1:${port}/?directConnection=true&serverSelectionTimeoutMS=5000`,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
