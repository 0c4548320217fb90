import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertTrustProxy, clientIpKey, compositeKey, ipKey, secretKey } from '../src/index.ts';

const from = (remoteAddress: string, forwarded?: string | string[]) => ({
  socket: { remoteAddress },
  headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
});

describe('ipKey', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:cb00:7107', '203.0.113.7'],
    ['2001:db8:1:ff42:aaaa::1', '2001:db8:1:ff00::/56'],
    ['2001:0DB8:0001:ff99::', '2001:db8:1:ff00::/56'],
    ['fe80::1%eth0', 'fe80:0:0:0::/56'],
    ['::1', '0:0:0:0::/56'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/56'],
    ['203.0.113.7:51234', '203.0.113.7'],
    ['[2001:db8::1]:443', '2001:db8:0:0::/56'],
    ['[2001:db8::1]', '2001:db8:0:0::/56'],
    ['[fe80::1%eth0]:80', 'fe80:0:0:0::/56'],
    ['[::ffff:203.0.113.7]:80', '203.0.113.7'],
  ])('makes of %s the key %s', (address, key) => {
    expect(ipKey(address)).toBe(key);
  });

  test('makes one key of every address in a prefix, and others outside it', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.integer({ min: 33, max: 128 }), (address, ipv6Prefix) => {
        const key = ipKey(address, { ipv6Prefix });
        if (!key.includes('/')) return;
        expect(ipKey(key.slice(0, key.indexOf('/')), { ipv6Prefix })).toBe(key);
      }),
    );
    expect(ipKey('2001:db8::1', { ipv6Prefix: 64 })).toBe('2001:db8:0:0::/64');
    expect(ipKey('2001:db8::1', { ipv6Prefix: 128 })).toBe('2001:db8:0:0:0:0:0:1/128');
    expect(ipKey('2001:db8:0:1::1', { ipv6Prefix: 64 })).not.toBe(ipKey('2001:db8::1', { ipv6Prefix: 64 }));
  });

  test.each([
    ...['', 'unknown', '1.2.3', '1.2.3.4:', '1.2.3.4:65536', '1.2.3.4:80:80', '1.2.3.4:-1', '1.2.3.4:http'],
    ...['[1.2.3.4]:80', '[::1', '::1]', '[]:80', '[::1]80', '[::1]:', '[unknown]:80', undefined],
  ])('refuses %j', (address) => {
    expect(() => ipKey(address)).toThrow(expect.objectContaining({ code: 'ERR_WEIR_RATELIMIT_KEY' }));
  });
});

describe('clientIpKey', () => {
  test('ignores forwarded headers unless told whom to trust', () => {
    expect(clientIpKey()(from('198.51.100.1', '203.0.113.7'))).toBe('198.51.100.1');
  });

  test('reads as many hops from the right as there are proxies, never what the client wrote', () => {
    const two = clientIpKey({ trustProxy: 2 });
    expect(two(from('10.0.0.1', '6.6.6.6, 203.0.113.7, 10.0.0.2'))).toBe('203.0.113.7');
    expect(two(from('10.0.0.1', ['6.6.6.6', '203.0.113.7, 10.0.0.2']))).toBe('203.0.113.7');
    expect(two(from('10.0.0.1'))).toBe('10.0.0.1');
  });

  test('passes over trusted ranges only, with and without ports', () => {
    const key = clientIpKey({ trustProxy: ['10.0.0.0/8', 'fd00::/8'] });
    expect(key(from('10.0.0.1', '6.6.6.6, 203.0.113.7:51234, [fd00::2]:8080, 10.0.0.2:80'))).toBe(
      '203.0.113.7',
    );
    expect(key(from('10.0.0.1', '6.6.6.6, [2001:db8::1]:443, [fd00::2]'))).toBe(ipKey('2001:db8::1'));
    expect(key(from('10.0.0.1', '6.6.6.6, 203.0.113.7, 10.0.0.2'))).toBe('203.0.113.7');
    expect(key(from('203.0.113.9', '6.6.6.6'))).toBe('203.0.113.9');
  });

  test('refuses malformed and endless headers', () => {
    const key = clientIpKey({ trustProxy: 1 });
    const code = 'ERR_WEIR_RATELIMIT_KEY';
    for (const header of ['not-an-address', '1.2.3.4, ', '"><script>', '1.1.1.1,'.repeat(5000)]) {
      expect(() => key(from('10.0.0.1', header))).toThrow(expect.objectContaining({ code }));
    }
  });

  test.each([true, 0, -1, 99, [], ['0.0.0.0/0'], ['::/0'], 'all'])('refuses the set-up %j', (trustProxy) => {
    expect(() => clientIpKey({ trustProxy: trustProxy as never })).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_RATELIMIT_OPTIONS' }),
    );
  });

  test('assertTrustProxy refuses what trusts everyone and passes the rest', () => {
    for (const open of [true, '0.0.0.0/0', 'loopback, ::/0'])
      expect(() => assertTrustProxy(open)).toThrow(/any client/);
    for (const fine of [false, undefined, 1, 'loopback', ['10.0.0.0/8']]) assertTrustProxy(fine);
  });
});

test('secret keys hide the credential and refuse what is none', () => {
  expect(secretKey('token')).toMatch(/^key:[\w-]{22}$/);
  expect(secretKey('token')).not.toBe(secretKey('Token'));
  for (const wrong of [undefined, '', ['a', 'b'], 'x'.repeat(10_240)]) {
    expect(() => secretKey(wrong)).toThrow(expect.objectContaining({ code: 'ERR_WEIR_RATELIMIT_KEY' }));
  }
});

test('parts of a composite key cannot run into each other', () => {
  const part = fc.string();
  fc.assert(
    fc.property(fc.array(part, { minLength: 1 }), fc.array(part, { minLength: 1 }), (a, b) => {
      expect(compositeKey(...a) === compositeKey(...b)).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
  );
  expect(compositeKey('a', 'b:c')).not.toBe(compositeKey('a:b', 'c'));
});
