import type { Metrics } from '../src/index.ts';

/** The samples of one text scrape, by series as written in its lines. */
export async function samplesOf(metrics: Pick<Metrics, 'scrape'>): Promise<Map<string, number>> {
  const { body } = await metrics.scrape();
  return parseSamples(body);
}

/** The samples of a text scrape. */
export function parseSamples(body: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of body.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const space = line.lastIndexOf(' ');
    samples.set(line.slice(0, space), Number(line.slice(space + 1).replace('Inf', 'Infinity')));
  }
  return samples;
}
