import { readConfig } from './config.ts';
import { startShop } from './shop.ts';

try {
  const shop = await startShop(readConfig(process.env));
  console.log(`shop listens on ${shop.url}`);
  let closing = false;
  const close = (signal: NodeJS.Signals) => {
    // A second signal means: now.
    if (closing) process.exit(1);
    closing = true;
    console.log(`shop ends on ${signal}`);
    shop.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
    setTimeout(() => process.exit(1), 4500).unref();
  };
  process.on('SIGINT', close);
  process.on('SIGTERM', close);
} catch (error) {
  fail(error);
}

/** One line for what the reader can repair, a stack for what we must. */
function fail(error: unknown): never {
  const known = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_WEIR_');
  console.error(known ? `shop: ${error.message}` : error);
  process.exit(1);
}
