/**
 * What instances tell each other on a cache's channel. First byte the kind; a change adds its sender (8 bytes) and the
 * sender's count (4 bytes, big-endian), so that receivers can acknowledge it.
 *
 * ```
 * i  sender  sequence  namespace:key    an entry was deleted or set
 * t  sender  sequence  tag              a tag was invalidated, or a namespace cleared
 * w  namespace:key                      a lease that somebody waits for has ended
 * a  acknowledger  sequence ...         on the sender's own channel
 * ```
 */
import { redisSuffix } from '../keys.ts';

const headerBytes = 13;

/** Which kind of change a message tells of. */
export type ChangeKind = 'i' | 't';

/** A parsed message of a cache's channel. */
export type Message =
  | {
      readonly kind: ChangeKind;
      readonly sender: Buffer;
      readonly sequence: number;
      readonly subject: string;
    }
  | { readonly kind: 'w'; readonly subject: string };

/** How an entry is called in messages; the part of its Redis key between the braces. */
export function busKey(namespace: string, key: string): string {
  return `${namespace}:${redisSuffix(key)}`;
}

/** Inverse of `busKey`, up to keys that were replaced by their hash. */
export function splitBusKey(subject: string): { readonly namespace: string; readonly suffix: string } {
  const colon = subject.indexOf(':');
  return { namespace: subject.slice(0, colon), suffix: subject.slice(colon + 1) };
}

export function changeMessage(kind: ChangeKind, sender: Buffer, sequence: number, subject: string): Buffer {
  const text = Buffer.from(subject);
  const message = Buffer.allocUnsafe(headerBytes + text.length);
  message.write(kind, 0, 'latin1');
  sender.copy(message, 1);
  message.writeUInt32BE(sequence, 9);
  text.copy(message, headerBytes);
  return message;
}

/** `undefined` for what no version of this package has sent. */
export function parseMessage(message: Buffer): Message | undefined {
  const kind = message.toString('latin1', 0, 1);
  if (kind === 'w') return { kind, subject: message.toString('utf8', 1) };
  if ((kind !== 'i' && kind !== 't') || message.length < headerBytes) return undefined;
  const sender = message.subarray(1, 9);
  return { kind, sender, sequence: message.readUInt32BE(9), subject: message.toString('utf8', headerBytes) };
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
