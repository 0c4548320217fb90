import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

// No container engine is needed: what the file names has to be there under that name.

const root = join(import.meta.dirname, '../..');
const dockerfile = readFileSync(join(root, 'service/Dockerfile'), 'utf8').replaceAll('\\\n', ' ');
const json = (path: string): unknown => JSON.parse(readFileSync(join(root, path), 'utf8'));

test('the Dockerfile names scripts, packages and files that exist', () => {
  const { scripts } = json('package.json') as { scripts: Record<string, string> };
  expect(dockerfile).toContain('npx -y pnpm@12 build');
  expect(scripts.build).toContain('build:web');
  expect(dockerfile).toContain('--filter @weir/service deploy');
  const { name, bin, files } = json('service/package.json') as {
    name: string;
    bin: Record<string, string>;
    files: string[];
  };
  expect(name).toBe('@weir/service');
  // The entry point is the deployed package's own command.
  expect(dockerfile).toContain(`ENTRYPOINT ["node", "/app/${bin.weir}"]`);
  expect(files).toContain('dist');
  // Where the service looks for its page: beside `dist`.
  expect(dockerfile).toContain('cp -r service/web/dist /app/web/dist');
  const start = readFileSync(join(root, 'service/src/start-service.ts'), 'utf8');
  expect(start).toContain("new URL('../web/dist', import.meta.url)");
  expect(existsSync(join(root, 'service/web/vite.config.ts'))).toBe(true);
});

test('the image listens on the default port, asks a route that exists, and runs a command that exists', () => {
  const schema = json('service/weir.config.schema.json') as {
    properties: { listen: { properties: { port: { default: number } } } };
  };
  const { default: port } = schema.properties.listen.properties.port;
  expect(dockerfile).toContain(`EXPOSE ${port}`);
  expect(dockerfile).toContain(`http://127.0.0.1:${port}/readyz`);
  expect(dockerfile).toContain('CMD ["serve", "--config", "/data/weir.config.json"]');
  expect(readFileSync(join(root, 'service/src/main.ts'), 'utf8')).toContain("case 'serve':");
  expect(dockerfile).toMatch(/USER node\n/);
});
