import { readFile } from 'node:fs/promises';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { ScenarioFileError } from './errors.ts';

/** An authority that is trusted beside Node's own, as PEM. Plain data, so that a worker can be handed it. */
export interface TlsTrust {
  readonly ca: string;
}

const contexts = new Map<string, SecureContext>();

/** Made once for each authority: parsing Node's whole store for every connection would cost more than the connection. */
export function secureContextOf({ ca }: TlsTrust): SecureContext {
  const known = contexts.get(ca);
  if (known !== undefined) return known;
  const context = createSecureContext({ ca: [...getCACertificates('default'), ca] });
  contexts.set(ca, context);
  return context;
}

/**
 * Reads the authority that a scenario's `tls.ca` names.
 *
 * @throws {@link ScenarioFileError} when the file is missing or holds no certificate
 */
export async function readTrust(file: string | undefined): Promise<TlsTrust | undefined> {
  if (file === undefined) return undefined;
  const ca = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ScenarioFileError(`${file}: cannot be read (${cause.code}). Correct \`tls.ca\`.`, { cause });
  });
  try {
    if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new Error('no certificate in it');
    secureContextOf({ ca });
  } catch (cause) {
    throw new ScenarioFileError(
      `${file}: is no certificate authority in PEM (${(cause as Error).message}). Correct \`tls.ca\`.`,
      { cause },
    );
  }
  return { ca };
}
