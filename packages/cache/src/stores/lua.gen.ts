// Generated from lua/*.lua by `pnpm generate`. Do not edit.
import type { LuaScript } from './redis-client.ts';

export const commitScript: LuaScript = {
  name: "commit",
  sha1: "3dc79ba17c9caef1199c9680ae8b95f9ce8c0f3c",
  source: "-- Stores a loaded value if the lease's token survived: a delete, a set or an expiry in between has killed it.\n-- Input: KEYS[1] entry, KEYS[2] lease (same hash tag)\n--        ARGV[1] token (16 bytes), ARGV[2] life in ms (0: no expiry), ARGV[3] payload, ARGV[4] channel,\n--        ARGV[5] message for the waiters\n-- Output: 1 stored, 0 fenced\nlocal held = redis.call('GET', KEYS[2])\nif not held or string.sub(held, 1, 16) ~= ARGV[1] then\n  return 0\nend\nlocal life = tonumber(ARGV[2])\nif life > 0 then\n  redis.call('SET', KEYS[1], ARGV[3], 'PX', life)\nelse\n  redis.call('SET', KEYS[1], ARGV[3])\nend\nredis.call('DEL', KEYS[2])\nif #held > 16 then\n  redis.call('PUBLISH', ARGV[4], ARGV[5])\nend\nreturn 1\n",
};

export const readScript: LuaScript = {
  name: "read",
  sha1: "fd76b12d621872f53f97a6961bf0d494141f1ad2",
  source: "-- Reads one entry; on a miss, grants the lease to load it or says how long another holder keeps it.\n-- Input: KEYS[1] entry, KEYS[2] lease (same hash tag)\n--        ARGV[1] token (16 bytes), ARGV[2] lease in ms (0: want no lease)\n--        ARGV[3] '1': want the lease even when the entry is fresh (an early refresh)\n-- Output: { status, value or false, remaining ms of the entry (-1: no expiry), remaining ms of the lease }\n--         status 0 nothing asked, 1 granted, 2 held by another\nlocal value = redis.call('GET', KEYS[1])\nlocal remaining = 0\nif value then\n  remaining = redis.call('PTTL', KEYS[1])\nend\nlocal lease = tonumber(ARGV[2])\n-- Bytes 28 to 35 of an entry say how much of its life is stale time (codec/envelope.ts).\nlocal fresh = value and (remaining < 0 or #value < 52 or remaining > struct.unpack('<d', value, 29))\nif lease == 0 or (fresh and ARGV[3] ~= '1') then\n  return { 0, value, remaining, 0 }\nend\nif redis.call('SET', KEYS[2], ARGV[1], 'PX', lease, 'NX') then\n  return { 1, value, remaining, lease }\nend\n-- A 17th byte tells the holder that somebody waits, so that a load without waiters publishes nothing.\nif redis.call('STRLEN', KEYS[2]) == 16 then\n  redis.call('APPEND', KEYS[2], 'w')\nend\nreturn { 2, value, remaining, redis.call('PTTL', KEYS[2]) }\n",
};

export const releaseScript: LuaScript = {
  name: "release",
  sha1: "f22e6b8f1454dde906ec47e3acdc80af490d3184",
  source: "-- Gives a lease back without a value (the load failed, or chose not to be cached) and wakes whoever waits.\n-- Input: KEYS[1] lease; ARGV[1] token (16 bytes), ARGV[2] channel, ARGV[3] message for the waiters\n-- Output: 1 released, 0 it was no longer ours\nlocal held = redis.call('GET', KEYS[1])\nif not held or string.sub(held, 1, 16) ~= ARGV[1] then\n  return 0\nend\nredis.call('DEL', KEYS[1])\nif #held > 16 then\n  redis.call('PUBLISH', ARGV[2], ARGV[3])\nend\nreturn 1\n",
};

export const renewScript: LuaScript = {
  name: "renew",
  sha1: "f720e157f32c8aad460b032136b021ae9005a911",
  source: "-- Prolongs a lease that is still ours, for a load that outlives it.\n-- Input: KEYS[1] lease; ARGV[1] token (16 bytes), ARGV[2] lease in ms\n-- Output: 1 renewed, 0 it was no longer ours\nlocal held = redis.call('GET', KEYS[1])\nif not held or string.sub(held, 1, 16) ~= ARGV[1] then\n  return 0\nend\nreturn redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]))\n",
};

export const tagScript: LuaScript = {
  name: "tag",
  sha1: "1fac0d8b4556c027ed04c014056fcd3197461623",
  source: "-- Reads the version of a tag, making one if it has none, or replaces it. A version is a moment of this server's clock in\n-- microseconds, always above its predecessor; a tag that was lost gets one that no stored entry can carry.\n-- Input: KEYS[1] tag; ARGV[1] '1' to replace, ARGV[2] life in ms, ARGV[3] channel, ARGV[4] message\n-- Output: { version, how many subscribers this node handed the message to }\nlocal current = redis.call('GET', KEYS[1])\nlocal life = tonumber(ARGV[2])\nif current and ARGV[1] ~= '1' then\n  if redis.call('PTTL', KEYS[1]) < life / 2 then\n    redis.call('PEXPIRE', KEYS[1], life)\n  end\n  return { current, 0 }\nend\nlocal time = redis.call('TIME')\nlocal version = tonumber(time[1]) * 1000000 + tonumber(time[2])\nif current and version <= tonumber(current) then\n  version = tonumber(current) + 1\nend\nlocal text = string.format('%.0f', version)\nredis.call('SET', KEYS[1], text, 'PX', life)\nif ARGV[1] ~= '1' then\n  return { text, 0 }\nend\nreturn { text, redis.call('PUBLISH', ARGV[3], ARGV[4]) }\n",
};

export const writeScript: LuaScript = {
  name: "write",
  sha1: "36a64ae7cb0812acefda1f7063b2c5fbd1af43fd",
  source: "-- Replaces or removes an entry whatever is in flight: kills the lease and tells every instance.\n-- Input: KEYS[1] entry, KEYS[2] lease (same hash tag)\n--        ARGV[1] life in ms (0: no expiry, -1: remove the entry), ARGV[2] payload, ARGV[3] channel, ARGV[4] message\n-- Output: how many subscribers this node handed the message to\nlocal life = tonumber(ARGV[1])\nif life < 0 then\n  redis.call('DEL', KEYS[1])\nelseif life > 0 then\n  redis.call('SET', KEYS[1], ARGV[2], 'PX', life)\nelse\n  redis.call('SET', KEYS[1], ARGV[2])\nend\nredis.call('DEL', KEYS[2])\nreturn redis.call('PUBLISH', ARGV[3], ARGV[4])\n",
};
