import { constants, type Stats } from 'node:fs';
import { access, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { OptionError } from '../errors.ts';

/**
 * Checks that a file can be written, after creating its directory if necessary. Call it before a run, so that its result can be kept. It
 * creates nothing.
 *
 * @throws {@link OptionError}
 */
export async function assertWritable(file: string): Promise<void> {
  const found = await statOf(file);
  if (found === undefined) await assertDirectory(dirname(resolve(file)), file);
  else if (found.isDirectory()) throw refuse(file, 'it is a directory');
  else await assertAccess(file, file);
}

/** Checks that a directory exists or can be created, and that files can be written in it. @throws {@link OptionError} */
export async function assertDirectory(directory: string, asked: string = directory): Promise<void> {
  for (let place = resolve(directory); ; place = dirname(place)) {
    const found = await statOf(place);
    if (found?.isDirectory() === false) throw refuse(asked, `${place} is no directory`);
    if (found === undefined && dirname(place) !== place) continue;
    await assertAccess(place, asked);
    return;
  }
}

/** Writes a file, and creates its directory if necessary. */
export async function writeOutput(file: string, text: string): Promise<void> {
  await mkdir(dirname(resolve(file)), { recursive: true });
  await writeFile(file, text);
}

/** Runs every task in order, even when one fails. @throws the first error; the messages of further errors go to `tell` */
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

function statOf(file: string): Promise<Stats | undefined> {
  return stat(file).catch((error: NodeJS.ErrnoException) => {
    // ENOTDIR: a parent is a file, which is found further up.
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
