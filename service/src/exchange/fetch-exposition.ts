import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf, ServiceError } from '../errors.ts';
import type { AllowList } from '../network/address-policy.ts';
import type { GuardedClient } from '../network/guarded-client.ts';

interface FetchOptions {
  readonly timeoutMs: number;
  /** The most bytes of the body after decompression. */
  readonly maxBodyBytes: number;
  readonly client: GuardedClient;
  readonly allow?: AllowList;
  readonly signal?: AbortSignal;
}

export interface Exposition {
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
}

const accept =
  'application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,text/plain;q=0.2,*/*;q=0.1';

/**
 * Fetches a target's metrics by one GET. Redirects are not followed.
 * @throws ServiceError `ERR_WEIR_SERVICE_SCRAPE` with the reason as one line.
 */
export async function fetchExposition(url: URL, options: FetchOptions): Promise<Exposition> {
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  try {
    const { allow } = options;
    const response = await options.client.request(url, {
      signal,
      ...(allow === undefined ? {} : { allow }),
      headers: {
        accept,
        'accept-encoding': 'gzip',
        'x-prometheus-scrape-timeout-seconds': String(options.timeoutMs / 1000),
      },
    });
    if (response.statusCode !== 200) {
      response.resume();
      const location = response.headers.location;
      throw failure(
        `the target answered ${response.statusCode}${location === undefined ? '' : ', a redirect, which is not followed'}`,
      );
    }
    return {
      body: await readBody(decompressed(response), options.maxBodyBytes),
      contentType: response.headers['content-type'],
    };
  } catch (thrown) {
    if (timeout.aborted) throw failure(`no answer within ${options.timeoutMs} ms`, thrown);
    if (thrown instanceof ServiceError) throw thrown;
    throw failure(messageOf(thrown), thrown);
  }
}

function decompressed(response: IncomingMessage): Readable {
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return response;
  if (encoding !== 'gzip')
    throw failure(`the target used the content encoding "${encoding}", which was not asked for`);
  const gunzip = createGunzip();
  response.on('error', (error) => gunzip.destroy(error));
  return response.pipe(gunzip);
}

async function readBody(stream: Readable, maxBytes: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let total = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    total += part.length;
    if (total > maxBytes) {
      throw failure(
        `the answer is longer than ${maxBytes} bytes. Raise \`scrape.maxBodyBytes\` or expose fewer series.`,
      );
    }
    parts.push(part);
  }
  // A copy with its own memory, which can be transferred to the store's thread.
  const body = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}

function failure(reason: string, cause?: unknown): ServiceError {
  return new ServiceError('ERR_WEIR_SERVICE_SCRAPE', reason, cause);
}
