import { existsSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ScenarioError, ScenarioFileError } from '../errors.ts';

/**
 * Imports a `.ts` or `.js` file, which runs it.
 *
 * @throws {@link ScenarioFileError} with one line, and the repair when the reason is known
 * @throws {@link ScenarioError} naming the file, when the file itself threw one
 */
export async function importFile(file: string): Promise<{ readonly default?: unknown }> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as { readonly default?: unknown };
  } catch (cause) {
    if (cause instanceof ScenarioError) throw new ScenarioError(cause.issues, file);
    const error = cause as Error & { readonly code?: string };
    const reason = error.message.split('\n', 1)[0] ?? '';
    throw new ScenarioFileError(`${file}: cannot be imported: ${reason}${repairOf(error, file)}`, { cause });
  }
}

const commonJsSyntax =
  /import statement outside a module|Unexpected token 'export'|import\.meta' outside a module|await is only valid/;

/** The repair, to be appended to the message; empty when none is known. */
function repairOf(error: Error & { readonly code?: string }, file: string): string {
  if (error.code === 'ERR_UNKNOWN_FILE_EXTENSION')
    return '. TypeScript needs Node 22.18 or later; use that, or write the file as .js or .json.';
  if (!commonJsSyntax.test(error.message)) return '';
  // The stack begins with the place of the mistake, which may be in an imported file.
  const place =
    /^(.+):\d+$/m.exec(error.stack?.split('\n', 1)[0] ?? '')?.[1]?.replace(/^file:\/\//, '') ?? file;
  const extension = extname(place);
  const module = `${extension.startsWith('.c') ? extension.replace('c', 'm') : extension.replace('.', '.m')}`;
  const renamed = `\`${basename(place, extension)}${module}\``;
  const rename = `. Node reads ${basename(place)} as CommonJS: rename it to ${renamed}`;
  if (extension.startsWith('.c')) return `${rename}.`;
  const manifest = nearestManifest(dirname(resolve(place)));
  return manifest === undefined ? `${rename}.` : `${rename}, or set \`"type": "module"\` in ${manifest}.`;
}

function nearestManifest(directory: string): string | undefined {
  for (let at = directory; ; at = dirname(at)) {
    const manifest = join(at, 'package.json');
    if (existsSync(manifest)) return manifest;
    if (dirname(at) === at) return undefined;
  }
}
