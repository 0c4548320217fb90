/**
 * `performance.now` at a resolution of a millisecond: read once, then remembered until a timer clears it. A hit asks for
 * the time on every call and would spend a third of its own on it. Code that blocks the event loop sees time stand
 * still meanwhile, so an expiry is noticed late by at most that long.
 */
export function createCoarseClock(): () => number {
  let cached = 0;
  const clear = () => {
    cached = 0;
  };
  return () => {
    if (cached !== 0) return cached;
    cached = performance.now();
    setTimeout(clear, 1).unref();
    return cached;
  };
}
