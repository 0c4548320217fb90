import { ensureServers } from './install-servers.ts';

/** Runs once before all tests: the servers they start must be on this machine. Says what it installs. */
export default async function setup(): Promise<void> {
  await ensureServers(['redis', 'mariadb', 'prometheus', 'chromium'], {
    log: (line) => console.log(`test-kit: ${line}`),
  });
}
