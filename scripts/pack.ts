import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { publishedPackages } from './published-packages.ts';

export interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly import?: { readonly default: string } }>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** A package as npm would get it. */
export interface PackedPackage {
  readonly manifest: Manifest;
  readonly tarball: string;
  /** The tarballs to install for it: its own, and those of the packages of ours that it depends on. */
  readonly install: readonly string[];
  /** What its users import: `@weir/cache`, `@weir/cache/fastify`, … */
  readonly specifiers: readonly string[];
}

/** Packs every published package into `directory`. Needs a build. */
export function packAll(directory: string): PackedPackage[] {
  const packed = publishedPackages.map((source) => {
    const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Manifest;
    const target = join(directory, manifest.name.replace('@weir/', ''));
    mkdirSync(target);
    execFileSync('pnpm', ['pack', '--pack-destination', target], { cwd: source, stdio: 'pipe' });
    const [file] = readdirSync(target);
    if (file === undefined) throw new Error(`\`pnpm pack\` left no tarball of ${manifest.name}.`);
    return { manifest, tarball: join(target, file) };
  });
  const tarballOf = new Map(packed.map(({ manifest, tarball }) => [manifest.name, tarball]));
  return packed.map(({ manifest, tarball }) => ({
    manifest,
    tarball,
    install: [
      tarball,
      ...Object.keys(manifest.dependencies ?? {}).flatMap((name) => tarballOf.get(name) ?? []),
    ],
    specifiers: Object.entries(manifest.exports).flatMap(([subpath, entry]) =>
      typeof entry === 'string' || entry.import === undefined ? [] : [manifest.name + subpath.slice(1)],
    ),
  }));
}
