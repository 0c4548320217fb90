import { constants, type Stats } from 'node:fs';
import { access, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { OptionError } from '../errors.ts';

/**
 * Whether a file can be written, its directory made where it is missing: asked before a run, since what the run measured could not be
 * kept after it. Nothing is made yet.
 *
 * @throws {@link OptionError}
 */
export async function assertWritable(file: string): Promise<void> {
  const found = await look(file);
  if (found === undefined) await assertDirectory(dirname(resolve(file)), file);
  else if (found.isDirectory()) throw refuse(file, 'it is a directory');
  else await assertAccess(file, file);
}

/** Whether a directory is there or can be made, and files in it. @throws {@link OptionError} */
export async function assertDirectory(directory: string, asked: string = directory): Promise<void> {
  for (let place = resolve(directory); ; place = dirname(place)) {
    const found = await look(place);
    if (found?.isDirectory() === false) throw refuse(asked, `${place} is no directory`);
    if (found === undefined && dirname(place) !== place) continue;
    await assertAccess(place, asked);
    return;
  }
}

/** Writes a file, and makes its directory. */
export async function writeOutput(file: string, text: string): Promise<void> {
  await mkdir(dirname(resolve(file)), { recursive: true });
  await writeFile(file, text);
}

/** Does every task in order, whatever becomes of the others. @throws what the first one that failed threw; the others are told */
export async function attemptAll(
  tasks: readonly (() => Promise<unknown>)[],
  tell: (message: string) => void,
): Promise<void> {
  const failures: Error[] = [];
  for (const task of tasks) await task().catch((error: Error) => failures.push(error));
  const [first, ...others] = failures;
  for (const { message } of others) tell(message);
  if (first !== undefined) throw first;
}

function look(file: string): Promise<Stats | undefined> {
  return stat(file).catch((error: NodeJS.ErrnoException) => {
    // Below a file; the file itself is found further up.
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw refuse(file, error.code ?? error.message);
  });
}

async function assertAccess(place: string, asked: string): Promise<void> {
  await access(place, constants.W_OK).catch((error: NodeJS.ErrnoException) => {
    throw refuse(asked, `${place}: ${error.code}`);
  });
}

function refuse(file: string, reason: string): OptionError {
  return new OptionError(`Cannot write ${file}: ${reason}. Name a file in a directory that can be written.`);
}
