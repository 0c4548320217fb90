/** One limiter under measurement: resolves with whether the request is allowed. */
export interface Contender {
  readonly name: string;
  consume(key: string): Promise<boolean>;
  /** Forgets, before a round and outside of its time, what an earlier round left in the process. */
  startAfresh?(): Promise<void>;
  close?(): Promise<void>;
}

export const windowMs = 3_600_000;

/** The part of @fastify/rate-limit's stores that its hook calls. */
export interface FastifyStore {
  incr(
    key: string,
    callback: (error: Error | null, result: { current: number }) => void,
    windowMs: number,
    limit: number,
  ): void;
}

/** Asks a store of @fastify/rate-limit as its hook does. */
export function fastifyContender(store: FastifyStore, limit: number): Contender {
  return {
    name: '@fastify/rate-limit store',
    consume: (key) =>
      new Promise((resolve, reject) => {
        const answer = (error: Error | null, result: { current: number }): void =>
          error === null ? resolve(result.current <= limit) : reject(error);
        store.incr(key, answer, windowMs, limit);
      }),
  };
}

/** rate-limiter-flexible resolves for a yes and rejects with what is no Error for a no. */
export function flexibleContender(
  name: string,
  limiter: { consume(key: string): Promise<unknown> },
): Contender {
  return { name, consume: (key) => limiter.consume(key).then(yes, no) };
}

const yes = (): boolean => true;
const no = (rejection: unknown): boolean => {
  if (rejection instanceof Error) throw rejection;
  return false;
};
