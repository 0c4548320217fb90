import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureServers, findServer, run } from '@weir/test-kit';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { aptScript } from '../src/apt-script.ts';

let directory: string;
let policy: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-install-'));
  policy = join(directory, 'policy-rc.d');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true });
});

/** A stand-in for apt-get: what it would do to a machine is the one thing that a test must not do. */
async function fakeApt(body: string): Promise<NodeJS.ProcessEnv> {
  await writeFile(join(directory, 'apt-get'), `#!/bin/sh\n${body}\n`);
  await chmod(join(directory, 'apt-get'), 0o755);
  return { PATH: `${directory}:${process.env.PATH}` };
}

test('daemons are forbidden while packages install, and what forbade or allowed them before is put back', async () => {
  const env = await fakeApt(`case "$*" in *install*) sh ${policy}; echo "policy $?"; echo "$@" ;; esac`);
  const bare = await run('sh', ['-c', aptScript, 'install', policy, 'redis-server', 'chromium'], { env });
  expect(bare.code).toBe(0);
  expect(bare.stderr).toContain('policy 101');
  expect(bare.stderr).toMatch(/install --no-install-recommends redis-server chromium/);
  await expect(stat(policy)).rejects.toThrow('ENOENT');

  await writeFile(policy, '#!/bin/sh\nexit 7\n');
  const before = await run('sh', ['-c', aptScript, 'install', policy, 'redis-server'], { env });
  expect(before.stderr).toContain('policy 101');
  expect(await readFile(policy, 'utf8')).toBe('#!/bin/sh\nexit 7\n');
});

test('an installation that fails or is interrupted leaves the policy as it was', async () => {
  const failing = await fakeApt('case "$*" in *install*) echo "E: no space left" >&2; exit 100 ;; esac');
  const failed = await run('sh', ['-c', aptScript, 'install', policy, 'x'], { env: failing });
  expect(failed.code).toBe(100);
  expect(failed.stderr.trim()).toBe('E: no space left');
  await expect(stat(policy)).rejects.toThrow('ENOENT');

  const env = await fakeApt(`case "$*" in *install*) echo started >&2; sleep 0.3 ;; esac`);
  const child = spawn('sh', ['-c', aptScript, 'install', policy, 'x'], { env });
  await once(child.stderr, 'data');
  child.kill('SIGTERM');
  await once(child, 'close');
  await expect(stat(policy)).rejects.toThrow('ENOENT');
});

test('package lists that another apt holds are waited for', async () => {
  const env = await fakeApt(`
    case "$*" in
      *update*) if [ -e ${directory}/tried ]; then exit 0; fi
        touch ${directory}/tried; echo "E: Could not get lock /var/lib/apt/lists/lock" >&2; exit 100 ;;
      *) [ -e ${directory}/tried ] || exit 1 ;;
    esac
    exit 0`);
  const { code } = await run('sh', ['-c', aptScript.replace('sleep 2', 'sleep 0'), 'install', policy, 'x'], {
    env,
  });
  expect(code).toBe(0);
});

test('a server is found by its variable before PATH, and nothing is installed when all are there', async () => {
  const own = join(directory, 'my-redis');
  await writeFile(own, '');
  vi.stubEnv('REDIS_SERVER', own);
  expect(findServer('redis')).toEqual([own]);
  const log = vi.fn();
  await ensureServers(['redis', 'prometheus', 'chromium'], { log });
  expect(log).not.toHaveBeenCalled();
});
