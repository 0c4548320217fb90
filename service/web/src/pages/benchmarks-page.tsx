import type { JSX } from 'preact';
import { Benchmarks } from './benchmarks.tsx';

/** The configured benchmarks on a page of their own. */
export function BenchmarksPage(): JSX.Element {
  return (
    <div class="page page-wide">
      <h1>Benchmarks</h1>
      <p class="lead">
        Load on the configured targets, run by this service in a process of its own. Every result is kept.
      </p>
      <Benchmarks />
    </div>
  );
}
