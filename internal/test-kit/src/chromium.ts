import { type Browser, chromium, type Page } from 'playwright-core';
import { serverExecutable } from './install-servers.ts';

/** A page of {@link launchChromium}'s browser. */
export type ChromiumPage = Page;

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
