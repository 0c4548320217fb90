import type { JSX } from 'preact';
import { listBenchmarks } from '../api/benchmarks.ts';
import { useAsync } from '../ui/use-async.ts';
import { BenchmarkCard } from './benchmarks-page.tsx';

/** Every benchmark, one below the other. */
export function Benchmarks(): JSX.Element {
  const { data, error } = useAsync(listBenchmarks, []);
  if (error !== undefined) return <p role="alert">{error}</p>;
  if (data === undefined) return <p role="status">Loading the benchmarks…</p>;
  if (data.length === 0) {
    return <p>None configured. Name scenario files under “benchmarks” in weir.config.json.</p>;
  }
  return (
    <div class="benchmarks">
      {data.map((benchmark) => (
        <BenchmarkCard key={benchmark.name} benchmark={benchmark} />
      ))}
    </div>
  );
}
