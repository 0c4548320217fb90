import { expect, test } from 'vitest';
import { getJson } from './support/service-process.ts';
import { startTestService } from './support/test-service.ts';

test('every operation of the OpenAPI document is a route, and its page shows it', async () => {
  const service = await startTestService();
  const { openapi, paths } = await getJson<{
    openapi: string;
    paths: Record<string, Record<string, object>>;
  }>(`${service.url}/openapi.json`);
  expect(openapi).toBe('3.1.0');
  const page = await (await fetch(`${service.url}/docs/api`)).text();
  for (const [path, methods] of Object.entries(paths))
    for (const method of Object.keys(methods)) {
      const url = service.url + path.replaceAll(/\{\w+\}/g, 'some');
      const response = await fetch(url, { method: method.toUpperCase() });
      const text = await response.text();
      expect(`${method} ${path}: ${text}`).not.toContain('No route for');
      expect(page).toContain(`${method.toUpperCase()} ${path}`);
    }
});
