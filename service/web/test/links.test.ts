import { expect, test } from 'vitest';
import { resolveLink } from '../src/model/dashboard.ts';

const range = { fromMs: 1000, toMs: 2000 };

test('a link to a dashboard leads to it on this page, with time range and chosen variables', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as Grafana writes it
  const url = '/d/weir-http/weir-http?${__url_time_range}&${job:queryparam}&${instance:queryparam}';
  expect(resolveLink(url, { job: ['shop', 'a&b'], instance: '.*' }, range)).toBe(
    '/ui/dashboards/weir-http?from=1000&to=2000&var-job=shop&var-job=a%26b',
  );
});

test('a variable in a link is filled in, and a link elsewhere stays', () => {
  expect(resolveLink('https://wiki.example/$team', { team: 'shop' }, range)).toBe(
    'https://wiki.example/shop',
  );
});

test.each(['javascript:alert(1)', '//evil.example', 'data:text/html,x'])('%s leads nowhere', (url) => {
  expect(resolveLink(url, {}, range)).toBeUndefined();
});
