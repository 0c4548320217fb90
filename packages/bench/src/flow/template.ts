/** What `{{…}}` in a step may name: saved values and feed rows by their names, and `env` for environment variables. */
export type TemplateScope = Readonly<Record<string, unknown>>;

/** A compiled template. */
export interface Template {
  /** True when it names nothing: the text is always the same. */
  readonly constant: boolean;
  /** @throws Error naming the value that is missing */
  render(scope: TemplateScope): string;
}

const placeholder = /\{\{\s*([^{}]*?)\s*\}\}/g;
const name = /^[A-Za-z_$][\w$-]*(?:\.[\w$-]+|\[\d+\])*$/;

/** Why a text is no template, or `undefined`. */
export function explainTemplate(text: string): string | undefined {
  for (const [whole, inner = ''] of text.matchAll(placeholder)) {
    if (!name.test(inner)) return `\`${whole}\` must name a value, such as \`{{user.id}}\``;
  }
  if (text.replace(placeholder, '').includes('{{')) return '`{{` is not closed; write it as `{{user.id}}`';
  return undefined;
}

/** What a template names, in its order: `user.id` of `{{ user.id }}`. */
export function namesOf(text: string): string[] {
  return [...text.matchAll(placeholder)].map(([, inner = '']) => inner);
}

/**
 * Compiles a text with `{{name}}` or `{{name.path[0]}}`. Values are inserted as text; objects as JSON. In a path they are
 * percent-encoded, so that a value cannot change the request it stands in.
 */
export function compileTemplate(
  text: string,
  encode: (value: string) => string = (value) => value,
): Template {
  const parts: { readonly text: string; readonly path?: string }[] = [];
  let from = 0;
  for (const match of text.matchAll(placeholder)) {
    parts.push({ text: text.slice(from, match.index) }, { text: match[0], path: match[1] ?? '' });
    from = match.index + match[0].length;
  }
  parts.push({ text: text.slice(from) });
  if (parts.length === 1) return { constant: true, render: () => text };
  return {
    constant: false,
    render: (scope) =>
      parts
        .map((part) => {
          if (part.path === undefined) return part.text;
          const value = readPath(scope, part.path);
          if (value === undefined || value === null) throw new Error(`\`${part.text}\` has no value`);
          return encode(typeof value === 'object' ? JSON.stringify(value) : String(value));
        })
        .join(''),
  };
}

/** Reads `items[0].id` from a value; own properties only. */
export function readPath(value: unknown, path: string): unknown {
  let current: unknown = value;
  for (const [, key, index] of path.matchAll(/([\w$-]+)|\[(\d+)\]/g)) {
    if (typeof current !== 'object' || current === null) return undefined;
    const property = key ?? index ?? '';
    current = Object.hasOwn(current, property) ? (current as Record<string, unknown>)[property] : undefined;
  }
  return current;
}
