/**
 * The texts that an anchored regular expression matches, where it is nothing but literals joined by `|`, in at most one
 * pair of parentheses: `a|b`, `(a|b)`, `10\.0\.0\.1:80`. That is what dashboards send for a choice of values.
 * `undefined` for every other expression.
 */
export function literalAlternation(pattern: string): readonly string[] | undefined {
  const grouped = /^\((?:\?:)?(.*)\)$/s.exec(pattern);
  const body = grouped?.[1] ?? pattern;
  const texts = new Set<string>();
  let text = '';
  for (let i = 0; i < body.length; i++) {
    const char = body[i] as string;
    if (char === '|') {
      texts.add(text);
      text = '';
    } else if (char === '\\') {
      // An escaped punctuation mark stands for itself; an escaped letter or digit is a class.
      const next = body[++i];
      if (next === undefined || !/[!-/:-@[-`{-~]/.test(next)) return undefined;
      text += next;
    } else if ('^$.*+?()[]{}'.includes(char)) return undefined;
    else text += char;
  }
  texts.add(text);
  return [...texts];
}
