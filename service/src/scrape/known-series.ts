import { detached } from '../store/detached.ts';
import type { MemorySeries } from '../store/series.ts';

/**
 * The series of a target's last good scrape by their raw text, in its order. The next scrape mostly has the same ones in the same
 * order, so that one comparison finds each without parsing or hashing.
 */
export class KnownSeries {
  #texts: string[] = [];
  #series: MemorySeries[] = [];

  /** Begins a scrape; what it finds and learns replaces the last one's with `keep`. */
  scrape(): KnownSeriesScrape {
    const [texts, series] = [this.#texts, this.#series];
    const nextTexts: string[] = [];
    const nextSeries: MemorySeries[] = [];
    let at = 0;
    let places: Map<string, number> | undefined;
    const placeOf = (text: string): number | undefined => {
      if (texts[at] === text) return at;
      places ??= new Map(texts.map((one, place) => [one, place]));
      return places.get(text);
    };
    return {
      expected: () => texts[at],
      find: (text) => {
        const place = placeOf(text);
        if (place === undefined) return undefined;
        at = place + 1;
        const found = series[place] as MemorySeries;
        if (found.isRemoved) return undefined;
        nextTexts.push(texts[place] as string);
        nextSeries.push(found);
        return found;
      },
      learn: (text, found) => {
        nextTexts.push(detached(text));
        nextSeries.push(found);
      },
      keep: () => {
        this.#texts = nextTexts;
        this.#series = nextSeries;
      },
    };
  }
}

export interface KnownSeriesScrape {
  /** The text that comes next if nothing changed. */
  expected(): string | undefined;
  /** The series that the text stood for in the last scrape, unless it was removed since. */
  find(text: string): MemorySeries | undefined;
  learn(text: string, series: MemorySeries): void;
  keep(): void;
}
