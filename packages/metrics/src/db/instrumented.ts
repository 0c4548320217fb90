/** What is wrapped already. Wrapping twice would count twice, so it does nothing. */
const instrumented = new WeakSet<object>();

/** Claims `client` for instrumentation; `false` if it has been claimed before. */
export function claim(client: object): boolean {
  if (instrumented.has(client)) return false;
  instrumented.add(client);
  return true;
}

/** Any method of a driver, for wrapping. */
export type AnyFunction = (...args: unknown[]) => unknown;

/** Replaces a method of one instance, leaving its prototype alone. `wrap` gets the original, bound. */
export function wrapMethod(target: object, name: string, wrap: (original: AnyFunction) => AnyFunction): void {
  const original = (target as Record<string, unknown>)[name];
  if (typeof original !== 'function') return;
  Object.defineProperty(target, name, {
    value: wrap((original as AnyFunction).bind(target)),
    writable: true,
    configurable: true,
    enumerable: false,
  });
}
