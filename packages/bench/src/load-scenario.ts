import { readFile } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { ScenarioFileError } from './errors.ts';
import { importFile } from './import-file.ts';
import { parseScenario, type ResolvedScenario } from './scenario.ts';

const modules = new Set(['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts']);

/**
 * Reads a scenario from a `.json` file, or imports the default export of a `.ts` or `.js` file.
 * Importing runs the file: load only scenarios whose author you trust as much as your own code.
 * TypeScript needs Node ≥ 22.18, which strips types itself.
 *
 * @throws {@link ScenarioFileError} when the file is missing, unparsable or of another kind
 * @throws `ScenarioError` when its content has mistakes
 */
export async function loadScenario(file: string): Promise<ResolvedScenario> {
  const extension = extname(file);
  if (extension === '.json') return beside(file, parseScenario(await readJson(file), file));
  if (modules.has(extension)) return beside(file, parseScenario(await importDefault(file), file));
  throw new ScenarioFileError(
    `${file}: expected a .json, .ts or .js file, got \`${extension || 'no extension'}\`.`,
  );
}

/** Feeds and the authority are named relative to the scenario's file. */
function beside(file: string, scenario: ResolvedScenario): ResolvedScenario {
  const { feeds, tls } = scenario;
  const place = (path: string): string => resolve(dirname(file), path);
  return Object.freeze({
    ...scenario,
    ...(tls === undefined ? {} : { tls: Object.freeze({ ca: place(tls.ca) }) }),
    ...(feeds === undefined
      ? {}
      : {
          feeds: Object.freeze(
            Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, place(feed)])),
          ),
        }),
  });
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new ScenarioFileError(`${file}: cannot be read (${reason(cause)}). Check the path.`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ScenarioFileError(`${file}: is not JSON: ${firstLine((cause as Error).message)}`, { cause });
  }
}

async function importDefault(file: string): Promise<unknown> {
  const module = await importFile(file);
  if (module.default === undefined) {
    throw new ScenarioFileError(
      `${file}: has no default export. Write \`export default defineBench({ … })\`.`,
    );
  }
  return module.default;
}

const reason = (error: Error & { code?: string }): string => error.code ?? firstLine(error.message);
const firstLine = (text: string): string => text.split('\n', 1)[0] ?? text;
