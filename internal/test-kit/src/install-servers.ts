import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aptScript } from './apt-script.ts';
import { TestKitError } from './errors.ts';
import {
  findExecutable,
  findServer,
  type ServerDefinition,
  type ServerName,
  serverDefinitions,
} from './find-server.ts';
import { run } from './server-process.ts';
import { withLockFile } from './with-lock-file.ts';

export interface EnsureServersOptions {
  /** Told what is about to be installed and whom it waits for, one line a call. */
  log?: (line: string) => void;
}

/**
 * Makes sure that the executables of every named server are on this machine: found by variable, then on PATH, else
 * installed with apt-get (as root or through passwordless sudo) or Homebrew. Concurrent callers install once.
 *
 * Throws `ERR_WEIR_TEST_KIT_MISSING_SERVER`, naming what to install, where that isn't possible.
 */
export async function ensureServers(
  names: readonly ServerName[],
  options: EnsureServersOptions = {},
): Promise<void> {
  const log = options.log ?? (() => {});
  if (missing(names).length === 0) return;
  const lock = join(tmpdir(), 'weir-install-servers.lock');
  await withLockFile(
    lock,
    async () => {
      const wanted = missing(names);
      if (wanted.length === 0) return;
      const detail = await install(wanted, log);
      const left = missing(names);
      if (left.length > 0) throw missingError(left, detail);
    },
    (pid) => log(`waiting for process ${pid}, which installs servers for the tests`),
  );
}

/** The executable of a server that `ensureServers` made sure of; throws the same error if it isn't there. */
export function serverExecutable(name: ServerName, index = 0): string {
  const path = findServer(name)?.[index];
  if (path === undefined) throw missingError([name]);
  return path;
}

function missing(names: readonly ServerName[]): ServerName[] {
  return names.filter((name) => findServer(name) === undefined);
}

function missingError(names: readonly ServerName[], detail = ''): TestKitError {
  const definitions = names.map((name) => serverDefinitions[name]);
  const what = definitions.map((definition) => definition.title).join(', ');
  const apt = `apt-get install ${definitions.flatMap((definition) => definition.apt).join(' ')}`;
  const hint = `Install it, for example with \`${apt}\`, or name its path in ${definitions.map((definition) => definition.variable).join(', ')}.`;
  return new TestKitError(
    'ERR_WEIR_TEST_KIT_MISSING_SERVER',
    what,
    detail === '' ? hint : `${hint} (${detail})`,
  );
}

/** Installs and hands back, where it failed, the last line that the package manager said. */
async function install(names: readonly ServerName[], log: (line: string) => void): Promise<string> {
  const definitions = names.map((name) => serverDefinitions[name]);
  const titles = definitions.map((definition) => definition.title).join(', ');
  if (process.platform === 'linux' && findExecutable(['apt-get']) !== undefined) {
    const packages = definitions.flatMap((definition) => definition.apt);
    const prefix = await rootPrefix();
    if (prefix === undefined) return 'apt-get needs root or passwordless sudo';
    log(`installing ${titles} with apt-get, once on this machine`);
    return await runLoud([...prefix, 'sh', '-c', aptScript, 'install', '/usr/sbin/policy-rc.d', ...packages]);
  }
  if (process.platform === 'darwin' && findExecutable(['brew']) !== undefined) {
    log(`installing ${titles} with Homebrew, once on this machine`);
    return await brewInstall(definitions);
  }
  return '';
}

async function brewInstall(definitions: readonly ServerDefinition[]): Promise<string> {
  for (const definition of definitions) {
    const detail = await runLoud(['brew', 'install', ...definition.brew]);
    if (detail !== '') return detail;
  }
  return '';
}

async function rootPrefix(): Promise<string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  if (findExecutable(['sudo']) === undefined) return undefined;
  const { code } = await run('sudo', ['-n', 'true']);
  return code === 0 ? ['sudo', '-n'] : undefined;
}

/** An empty string on success, else the last line of stderr. */
async function runLoud([command = '', ...args]: string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-4000);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return code === 0 ? '' : (stderr.trim().split('\n').at(-1) ?? `exit code ${code}`);
}
