/**
 * The template of a mount, such as `/tenants/:tid` of `app.use('/tenants/:tid', router)`, from the layer of Express' router that took a request.
 *
 * Since router 2.3 (Express 5.3) a layer has the path as it was written. Older ones, and those of Express 4, have only the matched piece of the
 * URL and its parameters: every parameter's text is replaced by its name, and the letters of the rest, which Express compares without
 * case, are folded. Where that cannot be sure to leave nothing of the URL, the mount reads `/*`.
 */

/** What a mount reads whose template is not known. */
export const UNKNOWN_MOUNT = '/*';

/** A layer of Express' router, as far as it is looked at. */
export interface Layer {
  /** The path as it was written; since router 2.3. */
  readonly rawPath?: unknown;
  /** One for each path of the layer; Express 5. */
  readonly matchers?: readonly ((path: string) => false | { readonly params: object })[];
  /** Express 4. */
  readonly regexp?: RegExp;
  /** The names of the parameters; until router 2.3. */
  readonly keys?: readonly (string | { readonly name: string | number })[];
}

/** A path as it was written: text, a regular expression, or a list of them. */
export function pathText(path: unknown): string {
  if (Array.isArray(path)) return path.map(pathText).join('|');
  return String(path);
}

/** The template of the mount `layer` that took `url`, a piece without its trailing slash. */
export function mountTemplate(layer: Layer, url: string, params: Readonly<Record<string, unknown>>): string {
  const { rawPath } = layer;
  if (rawPath === undefined) return isPattern(layer, url) ? UNKNOWN_MOUNT : withoutValues(layer, url, params);
  const written = Array.isArray(rawPath) ? (rawPath[matching(layer, url)] ?? rawPath) : rawPath;
  return typeof written === 'string' ? written.replace(/\/+$/, '') : pathText(written);
}

function matching({ matchers = [] }: Layer, url: string): number {
  return matchers.findIndex((matcher) => matcher(url) !== false);
}

// What a regular expression of the program takes may be anything, and no parameter need have it.
function isPattern(layer: Layer, url: string): boolean {
  const { regexp, matchers } = layer;
  if (regexp !== undefined) return !regexp.source.endsWith(String.raw`\/?(?=\/|$)`);
  const match = matchers?.[matching(layer, url)]?.(url);
  // path-to-regexp gives parameters without a prototype, a program's own expression gives an ordinary object.
  return match === undefined || match === false || Object.getPrototypeOf(match.params) !== null;
}

function withoutValues({ keys = [] }: Layer, url: string, params: Readonly<Record<string, unknown>>): string {
  let rest = url;
  let template = '';
  for (const key of keys.toReversed()) {
    const name = typeof key === 'object' ? key.name : key;
    const value = params[name];
    if (value === undefined) continue;
    const found = locate(rest, Array.isArray(value) ? value.join('/') : String(value));
    if (found === undefined) return UNKNOWN_MOUNT;
    template = `:${name}${rest.slice(found.end).toLowerCase()}${template}`;
    rest = rest.slice(0, found.start);
  }
  return rest.toLowerCase() + template;
}

// Whole segments go first, the rightmost of them; elsewhere a value that occurs twice is not taken for either.
function locate(url: string, value: string): { readonly start: number; readonly end: number } | undefined {
  for (const text of new Set([value, encodeURIComponent(value)])) {
    const segment = `${url}/`.lastIndexOf(`/${text}/`);
    if (segment !== -1) return { start: segment + 1, end: segment + 1 + text.length };
    const start = url.indexOf(text);
    if (start !== -1 && start === url.lastIndexOf(text)) return { start, end: start + text.length };
  }
  return undefined;
}
