/**
 * The messages on a cache's channel. The first byte is the kind. A change adds its sender (8 bytes) and the sender's sequence
 * number (4 bytes, big-endian), so that receivers can acknowledge it.
 *
 * ```
 * i  sender  sequence  namespace:key    an entry was deleted or set
 * t  sender  sequence  [tag, ...]       tags were invalidated, or namespaces cleared; as JSON
 * w  namespace:key                      a lease with waiting processes has ended
 * f  namespace:key                      the same, because the load failed
 * a  acknowledger  sequence ...         on the sender's own channel
 * ```
 */

const headerBytes = 13;

/** An entry that was deleted or set, or names whose versions were replaced. */
export type Change =
  | { readonly kind: 'i'; readonly subject: string }
  | { readonly kind: 't'; readonly names: readonly string[] };

/** A parsed message of a cache's channel. */
export type Message =
  | { readonly kind: 'change'; readonly sender: Buffer; readonly sequence: number; readonly change: Change }
  | { readonly kind: 'end'; readonly subject: string; readonly hasFailed: boolean };

export function changeMessage(change: Change, sender: Buffer, sequence: number): Buffer {
  const text = Buffer.from(change.kind === 'i' ? change.subject : JSON.stringify(change.names));
  const message = Buffer.allocUnsafe(headerBytes + text.length);
  message.write(change.kind, 0, 'latin1');
  sender.copy(message, 1);
  message.writeUInt32BE(sequence, 9);
  text.copy(message, headerBytes);
  return message;
}

/** `undefined` for a message that is not of this format. */
export function parseMessage(message: Buffer): Message | undefined {
  const kind = message.toString('latin1', 0, 1);
  if (kind === 'w' || kind === 'f') {
    return { kind: 'end', subject: message.toString('utf8', 1), hasFailed: kind === 'f' };
  }
  if (message.length < headerBytes) return undefined;
  const change = parseChange(kind, message.toString('utf8', headerBytes));
  if (change === undefined) return undefined;
  return { kind: 'change', sender: message.subarray(1, 9), sequence: message.readUInt32BE(9), change };
}

function parseChange(kind: string, text: string): Change | undefined {
  if (kind === 'i') return { kind, subject: text };
  if (kind !== 't') return undefined;
  try {
    const names: unknown = JSON.parse(text);
    return Array.isArray(names) && names.every((name) => typeof name === 'string')
      ? { kind, names }
      : undefined;
  } catch {
    return undefined;
  }
}

/** One acknowledgement of several changes of one sender. */
export function ackMessage(acknowledger: Buffer, sequences: readonly number[]): Buffer {
  const message = Buffer.allocUnsafe(9 + sequences.length * 4);
  message.write('a', 0, 'latin1');
  acknowledger.copy(message, 1);
  sequences.forEach((sequence, index) => {
    message.writeUInt32BE(sequence, 9 + index * 4);
  });
  return message;
}

export function parseAck(message: Buffer): { readonly acknowledger: string; readonly sequences: number[] } {
  const sequences: number[] = [];
  for (let offset = 9; offset + 4 <= message.length; offset += 4)
    sequences.push(message.readUInt32BE(offset));
  return { acknowledger: message.toString('latin1', 1, 9), sequences };
}
