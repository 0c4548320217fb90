// Cheaper than `queueMicrotask`, which makes an async resource for every call.
const arrived = Promise.resolve();

interface Item<I, O> {
  readonly input: I;
  resolve(output: O): void;
  reject(error: unknown): void;
}

/**
 * Collects the requests of one turn of the event loop and sends them as one command: callers whose last replies came together share
 * one command, a lone one waits for nobody. A microtask later it is sent, which is before any caller goes on.
 */
export class TurnBatch<I, O> {
  readonly #run: (inputs: readonly I[]) => Promise<readonly O[]>;
  readonly #max: () => number;
  #items: Item<I, O>[] = [];

  /** `run` resolves with one output for each input, in order. At most `max` at a time. */
  constructor(run: (inputs: readonly I[]) => Promise<readonly O[]>, max: () => number) {
    this.#run = run;
    this.#max = max;
  }

  add(input: I): Promise<O> {
    return new Promise<O>((resolve, reject) => {
      this.#items.push({ input, resolve, reject });
      if (this.#items.length >= this.#max()) this.#flush();
      else if (this.#items.length === 1) void arrived.then(this.#flush);
    });
  }

  readonly #flush = (): void => {
    const items = this.#items;
    if (items.length === 0) return;
    this.#items = [];
    this.#run(items.map((item) => item.input)).then(
      (outputs) => {
        items.forEach((item, index) => {
          item.resolve(outputs[index] as O);
        });
      },
      (error: unknown) => {
        for (const item of items) item.reject(error);
      },
    );
  };
}
