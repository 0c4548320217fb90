import { spawn } from 'node:child_process';
import { OptionError } from '../errors.ts';

/** Options of {@link git}. */
interface GitOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs git and returns its output. With `mayFail` a failure returns `undefined`. @throws {@link OptionError} */
export async function git(
  directory: string,
  args: readonly string[],
  options: GitOptions & { readonly mayFail: true },
): Promise<string | undefined>;
export async function git(directory: string, args: readonly string[], options?: GitOptions): Promise<string>;
export async function git(
  directory: string,
  args: readonly string[],
  { input = '', env = {}, mayFail = false }: GitOptions & { readonly mayFail?: boolean } = {},
): Promise<string | undefined> {
  const child = spawn('git', args, { cwd: directory, env: { ...process.env, ...env } });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A command that does not read its input may end before all of it is written.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const failure = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code === 0 ? undefined : `exited with code ${code}`));
  });
  if (failure === undefined) return Buffer.concat(stdout).toString();
  if (mayFail) return undefined;
  const said = Buffer.concat(stderr).toString().trim().split('\n').at(-1);
  throw new OptionError(`\`git ${args[0]}\` in ${directory} ${failure}${said ? `: ${said}` : ''}.`);
}
