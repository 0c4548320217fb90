import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publishedPackages } from '../scripts/published-packages.ts';

const root = resolve(import.meta.dirname, '..');

/** Relative targets of a page's links and pictures, without anchors. Code blocks hold none. */
function linksOf(file: string): string[] {
  const text = readFileSync(file, 'utf8').replace(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].flatMap(([, link = '']) =>
    /^[a-z]+:/.test(link) ? [] : [link],
  );
}

it('every relative link of every page leads to a file of the repository', () => {
  const pages = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], {
    cwd: root,
    encoding: 'utf8',
  })
    .trim()
    .split('\n')
    .map((page) => join(root, page))
    .filter((page) => existsSync(page));
  const dead = pages.flatMap((page) =>
    linksOf(page)
      .filter((link) => !existsSync(join(dirname(page), link)))
      .map((link) => `${relative(root, page)}: ${link}`),
  );
  expect(dead).toEqual([]);
});

describe.each(publishedPackages.map((path) => [relative(root, path), path] as const))('%s', (_name, path) => {
  it('packs every page that its README and its own pages link to', () => {
    const { files } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as { files: string[] };
    const packed = (target: string): boolean =>
      ['README.md', 'package.json', ...files].some(
        (entry) => target === entry || target.startsWith(`${entry}/`),
      );
    const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: path })];
    const dead = pages.flatMap((page) =>
      linksOf(join(path, page))
        .filter((link) => !packed(normalize(join(dirname(page), link)).replace(/\/$/, '')))
        .map((link) => `${page}: ${link}`),
    );
    expect(dead).toEqual([]);
  });
});
