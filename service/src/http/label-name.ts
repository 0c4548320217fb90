/**
 * A label name as a path carries it: the name itself, or `U__` and the escaped name, in which `__` is an underscore and `_2e_` the
 * character of that code point. What begins with `U__` and is no escaped name is taken as written. This is the "values" escaping
 * of Prometheus 3.
 */
export function unescapeLabelName(name: string): string {
  const escaped = /^U__((?:[^_]|__|_[0-9a-fA-F]{1,6}_)*)$/.exec(name)?.[1];
  if (escaped === undefined) return name;
  let isValid = true;
  const result = escaped.replace(/__|_([0-9a-fA-F]+)_/g, (_, hex: string | undefined) => {
    if (hex === undefined) return '_';
    const code = Number.parseInt(hex, 16);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) isValid = false;
    return isValid ? String.fromCodePoint(code) : '';
  });
  return isValid ? result : name;
}
