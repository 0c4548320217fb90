import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from './run-cli.ts';

const docs = join(import.meta.dirname, '../../../docs/bench');

/** Every `weir-bench` command of the documentation, whole lines of shell without their comments. */
async function commands(): Promise<string[][]> {
  const files = (await readdir(docs)).map((file) => join(docs, file));
  const texts = await Promise.all(
    [...files, join(import.meta.dirname, '../README.md')].map((file) => readFile(file, 'utf8')),
  );
  const lines = texts.flatMap((text) =>
    [...text.matchAll(/```(?:sh)?\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.split('\n')),
  );
  return lines
    .filter((line) => /^(?:\$ )?weir-bench /.test(line))
    .map((line) =>
      [
        ...line
          .replace(/^\$ /, '')
          .replace(/ #.*$/, '')
          .matchAll(/'([^']*)'|(\S+)/g),
      ].map(([, quoted, plain = '']) =>
        (quoted ?? plain).replace('https://weir.example', 'http://127.0.0.1:59999'),
      ),
    );
}

test('every command of the documentation is one that the tool takes', async () => {
  const found = await commands();
  expect(found.length).toBeGreaterThan(8);
  const directory = await mkdtemp(join(tmpdir(), 'weir-docs-'));
  const wrong: string[] = [];
  for (const [, ...args] of found) {
    // In an empty directory each gets as far as its scenario or its history, which is not there, and no further.
    const { stderr } = await runCli(args, { cwd: directory });
    if (!/ENOENT|not a git repository|holds no history|cannot be asked/.test(stderr))
      wrong.push(`${args.join(' ')}: ${stderr}`);
  }
  await rm(directory, { recursive: true });
  expect(wrong).toEqual([]);
});
