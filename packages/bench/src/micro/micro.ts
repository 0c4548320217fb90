import { OptionError } from '../errors.ts';

/** Two implementations of one thing. */
export interface Micro {
  readonly name: string;
  readonly base: () => unknown;
  readonly head: () => unknown;
}

/**
 * Types and checks a micro-benchmark; its file exports one by default. Return what was computed, so that V8 cannot leave it out.
 *
 * @throws {@link OptionError}
 */
export function defineMicro(micro: Micro): Micro {
  const { name, base, head, ...rest } = micro as Micro & Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw new OptionError(`Expected \`name\`, \`base\` and \`head\`, got also \`${unknown}\`. Remove it.`);
  if (typeof name !== 'string' || name === '')
    throw new OptionError('Expected `name` to be a text that is not empty.');
  for (const [key, value] of Object.entries({ base, head })) {
    if (typeof value !== 'function')
      throw new OptionError(`Expected \`${key}\` to be a function, got \`${typeof value}\`.`);
  }
  return Object.freeze({ name, base, head });
}
