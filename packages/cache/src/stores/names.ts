import { invalidOption } from '../errors.ts';

/** The name of a user's tag among all versioned names. */
function tagName(tag: string): string {
  return `t${tag}`;
}

/** The name whose version covers a whole namespace; `'*'` stands for the whole cache. */
export function namespaceName(namespace: string): string {
  return `n${namespace}`;
}

/** The names of a user's tags, each once. Throws for what is no list of non-empty strings. */
export function nameTags(tags: readonly string[]): readonly string[] {
  if (!Array.isArray(tags)) throw invalidOption('tags', 'an array of strings', tags);
  return [...new Set(tags)].map((tag: unknown) => {
    if (typeof tag === 'string' && tag !== '') return tagName(tag);
    throw invalidOption('tags', 'an array of non-empty strings', tag);
  });
}
