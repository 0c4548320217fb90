/** The name of a user's tag among all versioned names. */
export function tagName(tag: string): string {
  return `t${tag}`;
}

/** The name whose version covers a whole namespace; `'*'` stands for the whole cache. */
export function namespaceName(namespace: string): string {
  return `n${namespace}`;
}
