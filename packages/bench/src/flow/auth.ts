import { OptionError } from '../errors.ts';
import type { ResolvedScenario } from '../scenario.ts';
import type { Auth } from './flow.ts';
import { compileTemplate } from './template.ts';

/**
 * The header that carries the credentials, its name in lower case, or none.
 *
 * @throws {@link OptionError} when a variable of the environment is missing
 */
export function authHeader(auth: Auth | undefined): Readonly<Record<string, string>> {
  if (auth === undefined) return {};
  const render = (text: string): string => {
    try {
      return compileTemplate(text).render({ env: process.env });
    } catch (error) {
      throw new OptionError(`auth: ${(error as Error).message}. Set the variable in the environment.`);
    }
  };
  if ('bearer' in auth) return { authorization: `Bearer ${render(auth.bearer)}` };
  const pair = `${render(auth.basic.user)}:${render(auth.basic.password)}`;
  return { authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` };
}

/**
 * The credentials that a request with these headers still needs: its own `Authorization` wins, however it is spelled, since header names
 * are case-insensitive (RFC 9110 section 5.1).
 */
export function credentialsBeside(
  headers: Readonly<Record<string, string>>,
  credentials: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const own = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  return Object.fromEntries(Object.entries(credentials).filter(([name]) => !own.has(name)));
}

/** A scenario whose requests carry its credentials; a header of a request's own wins. Flows add theirs when they are compiled. */
export function authorise(scenario: ResolvedScenario): ResolvedScenario {
  if (scenario.auth === undefined) return scenario;
  const credentials = authHeader(scenario.auth);
  const requests = scenario.requests.map((request) => ({
    ...request,
    headers: { ...credentialsBeside(request.headers, credentials), ...request.headers },
  }));
  return { ...scenario, requests };
}
