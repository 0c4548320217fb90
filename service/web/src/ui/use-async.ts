import { useEffect, useState } from 'preact/hooks';
import { messageOf } from '../api/http.ts';

/** What is known of something asked for: earlier data stay while newer are fetched or failed. */
interface AsyncState<T> {
  readonly data: T | undefined;
  readonly error: string | undefined;
}

/**
 * Loads when `inputs` change, and shows the last data meanwhile; an earlier answer never replaces a later one.
 *
 * @param load is given a signal that aborts when the inputs change again or the component goes
 */
export function useAsync<T>(
  load: (signal: AbortSignal) => Promise<T>,
  inputs: readonly unknown[],
): AsyncState<T> {
  const [state, setState] = useState<AsyncState<T>>({ data: undefined, error: undefined });
  useEffect(() => {
    const abort = new AbortController();
    load(abort.signal).then(
      (data) => {
        if (!abort.signal.aborted) setState({ data, error: undefined });
      },
      (error: unknown) => {
        if (!abort.signal.aborted) setState((before) => ({ ...before, error: messageOf(error) }));
      },
    );
    return () => abort.abort();
  }, inputs);
  return state;
}

/** A number that grows every `intervalMs` while the page is visible; 0 or less stops it. */
export function useTicks(intervalMs: number): number {
  const [ticks, setTicks] = useState(0);
  useEffect(() => {
    if (intervalMs <= 0) return;
    const advance = (): void => {
      if (!document.hidden) setTicks((count) => count + 1);
    };
    const timer = setInterval(advance, intervalMs);
    document.addEventListener('visibilitychange', advance);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', advance);
    };
  }, [intervalMs]);
  return ticks;
}
