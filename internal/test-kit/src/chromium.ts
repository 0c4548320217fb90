import { type Browser, chromium } from 'playwright-core';
import { serverExecutable } from './install-servers.ts';

/** The system's Chromium, headless and silent on the network; the caller closes it. It dies with this process. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: serverExecutable('chromium'),
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
