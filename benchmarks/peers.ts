/** `pnpm bench:peers <name>`: runs one package's benchmark against its peers. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [name, ...args] = process.argv.slice(2);
const names = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(import.meta.dirname, entry.name, 'index.ts')))
  .map((entry) => entry.name);

if (name === undefined || !names.includes(name)) {
  console.error(`Usage: pnpm bench:peers <${names.join(' | ')}> [options]`);
  process.exitCode = 64;
} else {
  const { run } = (await import(`./${name}/index.ts`)) as { run: (args: string[]) => Promise<void> };
  await run(args);
}
