import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from './run-cli.ts';

const action = join(import.meta.dirname, '../../../.github/actions/bench-compare/action.yml');
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-action-'));
  execFileSync('git', ['init', '-q'], { cwd: directory });
  const commit = [
    '-c',
    'user.name=Weir',
    '-c',
    'user.email=weir@localhost',
    'commit',
    '-q',
    '--allow-empty',
    '-m',
    'x',
  ];
  execFileSync('git', commit, { cwd: directory });
});
afterEach(() => rm(directory, { recursive: true }));

/** The script of the action's step, run by bash as GitHub runs it, with a tool that writes down how it was called. */
async function runAction(env: Record<string, string>, exits: number) {
  const text = await readFile(action, 'utf8');
  const block = /\n {6}run: \|\n((?: {8}.*\n|\n)+)/.exec(text)?.[1] ?? '';
  const tool = join(directory, 'tool');
  await writeFile(
    tool,
    `#!/bin/sh\nprintf '%s\\n' "$@" > "${directory}/args"\necho '{"verdict":"slower"}' > .weir/bench/comparison.json\nexit ${exits}\n`,
  );
  await chmod(tool, 0o755);
  const output = join(directory, 'output');
  await writeFile(output, '');
  let code = 0;
  try {
    execFileSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', block.replace(/^ {8}/gm, '')], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        SCENARIO: 'shop.json',
        BASE: 'HEAD',
        EFFECT: '5',
        MAX_PAIRS: '',
        STRICT: 'false',
        COMMAND: tool,
        GITHUB_OUTPUT: output,
        ...env,
      },
    });
  } catch (error) {
    code = (error as { status: number }).status;
  }
  const args = (await readFile(join(directory, 'args'), 'utf8')).trim().split('\n');
  return { code, args, output: await readFile(output, 'utf8') };
}

test.each([
  [0, 'false', 0],
  [1, 'false', 1],
  [2, 'false', 0],
  [2, 'true', 2],
  [3, 'false', 3],
])(
  'the action turns exit code %i, failing on inconclusive %s, into %i, and hands the verdict on',
  async (exits, strict, expected) => {
    const { code, output } = await runAction({ STRICT: strict }, exits);
    expect(code).toBe(expected);
    expect(output).toBe('verdict=slower\n');
  },
);

test('the action calls the tool with options that it takes', async () => {
  const { args } = await runAction({ MAX_PAIRS: '12' }, 0);
  expect(args.slice(0, 8)).toEqual([
    'compare',
    'shop.json',
    '--base',
    'HEAD',
    '--effect',
    '5',
    '--max-pairs',
    '12',
  ]);
  const { args: plain } = await runAction({}, 0);
  expect(plain).not.toContain('--max-pairs');
  expect((await runCli(plain, { cwd: directory })).stderr).toMatch(/shop\.json: cannot be read/);
});

test.each(['.', 'node old.js', 'HEAD~1', 'v9.9'])(
  'the base %s, which cannot be fetched, is left to the tool',
  async (base) => {
    const { code, args } = await runAction({ BASE: base }, 0);
    expect(code).toBe(0);
    expect(args.slice(2, 4)).toEqual(['--base', base]);
  },
);
