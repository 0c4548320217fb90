import type { EndpointConfig } from '../config/config.ts';
import type { ApiData } from '../engine/engine-protocol.ts';
import { messageOf } from '../errors.ts';
import type { GuardedClient } from '../network/guarded-client.ts';
import type { BackendRequest } from './backend-request.ts';

/** What the service's own alerts may wait for a backend that does not answer. */
const timeoutMs = 5_000;
const maxBytes = 16_777_216;

interface Envelope {
  readonly status?: unknown;
  readonly error?: unknown;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

/**
 * The list that the service answers with, and behind it the backend's. A backend that does not answer is a warning: what the service
 * evaluates itself is shown all the same.
 * @param field Of `data`, which holds the list.
 */
export async function mergeWithBackend(
  own: ApiData,
  field: 'groups' | 'alerts',
  backend: EndpointConfig,
  request: BackendRequest,
  client: GuardedClient,
  gone: AbortSignal,
): Promise<ApiData> {
  try {
    const { data = {}, warnings = [], infos = [] } = await ask(backend, request, client, gone);
    const theirs = data[field];
    if (!Array.isArray(theirs)) throw new RangeError(`it answered without \`${field}\``);
    const ours = JSON.parse(new TextDecoder().decode(own.data)) as Record<string, readonly unknown[]>;
    const merged = { ...data, [field]: [...(ours[field] ?? []), ...theirs] };
    return {
      data: new TextEncoder().encode(JSON.stringify(merged)),
      warnings: [...own.warnings, ...warnings],
      infos: [...own.infos, ...infos],
    };
  } catch (thrown) {
    const warning = `the backend's ${field} are missing: ${messageOf(thrown)}`;
    return { ...own, warnings: [...own.warnings, warning] };
  }
}

async function ask(
  backend: EndpointConfig,
  { url }: BackendRequest,
  client: GuardedClient,
  gone: AbortSignal,
): Promise<Envelope> {
  const answer = await client.request(url, {
    headers: { accept: 'application/json', ...backend.headers },
    signal: AbortSignal.any([gone, AbortSignal.timeout(timeoutMs)]),
  });
  const parts: Buffer[] = [];
  let total = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    total += part.length;
    if (total > maxBytes) throw new RangeError(`it answered with more than ${maxBytes} bytes`);
    parts.push(part);
  }
  const status = answer.statusCode ?? 0;
  let envelope: Envelope | null;
  try {
    envelope = JSON.parse(Buffer.concat(parts).toString()) as Envelope | null;
  } catch {
    throw new RangeError(`it answered ${status} without JSON`);
  }
  if (envelope?.status === 'success') return envelope;
  throw new RangeError(typeof envelope?.error === 'string' ? envelope.error : `it answered ${status}`);
}
