/**
 * An equal text with memory of its own. A part cut out of a text keeps the whole of it alive: kept beyond a scrape, one label
 * value would hold the exposition it came in.
 */
export function detached(text: string): string {
  // UTF-8 has no form for half a surrogate pair.
  return text.isWellFormed() ? Buffer.from(text).toString() : text;
}
