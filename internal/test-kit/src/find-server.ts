import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What the tests of this repository need from the system; PostgreSQL comes with the install. */
export type ServerName = 'redis' | 'mariadb' | 'prometheus' | 'chromium';

export interface ServerDefinition {
  /** For people. */
  readonly title: string;
  /** Names to look for on PATH, best first; of `executables` every group needs one hit. */
  readonly executables: readonly (readonly string[])[];
  /** Environment variable that holds the path of the first executable. */
  readonly variable: string;
  /** Places outside PATH where installers put the first executable. */
  readonly places: readonly string[];
  readonly apt: readonly string[];
  readonly brew: readonly string[];
}

export const serverDefinitions: Readonly<Record<ServerName, ServerDefinition>> = {
  redis: {
    title: 'redis-server',
    executables: [['redis-server']],
    variable: 'REDIS_SERVER',
    places: [],
    apt: ['redis-server'],
    brew: ['redis'],
  },
  mariadb: {
    title: 'MariaDB server',
    executables: [['mariadbd']],
    variable: 'MARIADBD',
    places: [],
    apt: ['mariadb-server-core'],
    brew: ['mariadb'],
  },
  prometheus: {
    title: 'prometheus with promtool',
    executables: [['prometheus'], ['promtool']],
    variable: 'PROMETHEUS',
    places: [],
    apt: ['prometheus'],
    brew: ['prometheus'],
  },
  chromium: {
    title: 'Chromium',
    executables: [['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']],
    variable: 'CHROMIUM',
    places: [
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
    ],
    apt: ['chromium'],
    brew: ['--cask', 'google-chrome'],
  },
};

/** Paths of the executables of a server, one per group of its definition, or `undefined` unless all are there. */
export function findServer(name: ServerName): string[] | undefined {
  const definition = serverDefinitions[name];
  const found: string[] = [];
  for (const [index, group] of definition.executables.entries()) {
    const named = index === 0 ? process.env[definition.variable] : undefined;
    const path = named ?? findExecutable(group) ?? definition.places.find(isExecutable);
    if (path === undefined) return undefined;
    found.push(path);
  }
  return found;
}

/** The first of `names` on PATH, as an absolute path. */
export function findExecutable(names: readonly string[]): string | undefined {
  // Debian's servers live in sbin directories that a plain user's PATH may lack.
  const directories = [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/local/bin',
    '/usr/bin',
    '/usr/sbin',
    '/opt/homebrew/bin',
  ];
  for (const name of names) {
    for (const directory of directories) {
      const path = join(directory, name);
      if (directory !== '' && isExecutable(path)) return path;
    }
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
