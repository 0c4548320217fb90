// Generated from lua/*.lua by `pnpm generate`. Do not edit.
import type { LuaScript } from '@weir/redis';

export const commitScript: LuaScript = {
  name: "commit",
  sha1: "6e1a7805068adeb455988c81e8526480577de13a",
  source: "-- Stores loaded values if their leases' tokens survived: a delete, a set or an expiry in between has killed them.\n-- Input: KEYS[2i-1] entry, KEYS[2i] lease (same hash tag)\n--        ARGV[1] channel, ARGV[2] bytes of an entry's key before its subject,\n--        ARGV[4i-1] token (16 bytes), ARGV[4i] life in ms (0: no expiry), ARGV[4i+1] fresh for, in ms (0: for ever),\n--        ARGV[4i+2] payload\n-- Output: { moment of this server's clock in us, 1 stored or 0 fenced, ... }\nlocal time = redis.call('TIME')\nlocal micros = tonumber(time[1]) * 1000000 + tonumber(time[2])\nlocal reply = { micros }\nfor i = 1, #KEYS / 2 do\n  local entry, holder = KEYS[2 * i - 1], KEYS[2 * i]\n  local held = redis.call('GET', holder)\n  if held and string.sub(held, 1, 16) == ARGV[4 * i - 1] then\n    local life, fresh = ARGV[4 * i], tonumber(ARGV[4 * i + 1])\n    local payload = ARGV[4 * i + 2] .. struct.pack('<d', fresh > 0 and micros / 1000 + fresh or 0)\n    if life ~= '0' then\n      redis.call('SET', entry, payload, 'PX', life)\n    else\n      redis.call('SET', entry, payload)\n    end\n    redis.call('DEL', holder)\n    if #held > 16 then\n      redis.pcall('PUBLISH', ARGV[1], 'w' .. string.sub(entry, tonumber(ARGV[2]) + 1, -2))\n    end\n    reply[i + 1] = 1\n  else\n    reply[i + 1] = 0\n  end\nend\nreturn reply\n",
};

export const readScript: LuaScript = {
  name: "read",
  sha1: "7b678d1d827bf62a6d63cd9772a12f5d8c2e7136",
  source: "-- Reads entries; where one is missing or stale, grants the lease to load it or says how long another holder keeps it.\n-- Input: KEYS[2i-1] entry, KEYS[2i] lease (same hash tag)\n--        ARGV[1] lease in ms, ARGV[2i] token (16 bytes),\n--        ARGV[2i+1] which lease is wanted: '0' none, '1' if the entry is missing or stale, '2' in any case\n-- Output: { moment of this server's clock in us, { status, value or false, remaining ms of the lease }, ... }\n--         status 0 nothing asked, 1 granted, 2 held by another\nlocal time = redis.call('TIME')\nlocal micros = tonumber(time[1]) * 1000000 + tonumber(time[2])\n-- Numbers that only pass through stay text: turning them into numbers and back costs more than the commands themselves.\nlocal lease = ARGV[1]\nlocal reply = { micros }\n\nlocal function read(entry, holder, token, wish)\n  local value = redis.call('GET', entry)\n  -- The last 8 bytes of an entry say until when it is fresh (values/envelope.ts).\n  local fresh = false\n  if value then\n    fresh = true\n    if #value >= 35 then\n      local until_ms = struct.unpack('<d', value, #value - 7)\n      fresh = until_ms == 0 or until_ms > micros / 1000\n    end\n  end\n  if wish == '0' or (fresh and wish ~= '2') then\n    return { 0, value, 0 }\n  end\n  if redis.call('SET', holder, token, 'PX', lease, 'NX') then\n    return { 1, value, tonumber(lease) }\n  end\n  local held = redis.call('GET', holder)\n  -- Ours already: the reply that told of it was lost.\n  if string.sub(held, 1, 16) == token then\n    redis.call('PEXPIRE', holder, lease)\n    return { 1, value, tonumber(lease) }\n  end\n  -- A 17th byte tells the holder that somebody waits, so that a load without waiters publishes nothing.\n  if #held == 16 then\n    redis.call('APPEND', holder, 'w')\n  end\n  return { 2, value, redis.call('PTTL', holder) }\nend\n\nfor i = 1, #KEYS / 2 do\n  reply[i + 1] = read(KEYS[2 * i - 1], KEYS[2 * i], ARGV[2 * i], ARGV[2 * i + 1])\nend\nreturn reply\n",
};

export const releaseScript: LuaScript = {
  name: "release",
  sha1: "9afd1b9700b4e5c5a7eb27975fe45f542b59cad1",
  source: "-- Gives a lease back without a value (the load failed, or chose not to be cached) and wakes whoever waits.\n-- Input: KEYS[1] lease; ARGV[1] token (16 bytes), ARGV[2] channel, ARGV[3] bytes of the key before its subject,\n--        ARGV[4] first byte of the message: 'f' the load failed, 'w' otherwise\n-- Output: 1 released, 0 it was no longer ours\nlocal held = redis.call('GET', KEYS[1])\nif not held or string.sub(held, 1, 16) ~= ARGV[1] then\n  return 0\nend\nredis.call('DEL', KEYS[1])\nif #held > 16 then\n  redis.pcall('PUBLISH', ARGV[2], ARGV[4] .. string.sub(KEYS[1], tonumber(ARGV[3]) + 1, -2))\nend\nreturn 1\n",
};

export const renewScript: LuaScript = {
  name: "renew",
  sha1: "f720e157f32c8aad460b032136b021ae9005a911",
  source: "-- Prolongs a lease that is still ours, for a load that outlives it.\n-- Input: KEYS[1] lease; ARGV[1] token (16 bytes), ARGV[2] lease in ms\n-- Output: 1 renewed, 0 it was no longer ours\nlocal held = redis.call('GET', KEYS[1])\nif not held or string.sub(held, 1, 16) ~= ARGV[1] then\n  return 0\nend\nreturn redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]))\n",
};

export const stampsScript: LuaScript = {
  name: "stamps",
  sha1: "e9e469228f917dcb526424516e3b4b0c4740b5c4",
  source: "-- Reads the stamps of entries: which write each of them came from.\n-- Input: KEYS entries; ARGV[1] first byte of the stamp, ARGV[2] its last (values/envelope.ts)\n-- Output: the stamps, '' for an entry that is missing\nlocal stamps = {}\nfor i, entry in ipairs(KEYS) do\n  stamps[i] = redis.call('GETRANGE', entry, ARGV[1], ARGV[2])\nend\nreturn stamps\n",
};

export const tagsScript: LuaScript = {
  name: "tags",
  sha1: "352eefb3940390d62a5d1b4f6836f8beb8bd7425",
  source: "-- Reads the versions of tags, making those that are missing, or replaces them all. A version is a moment of this server's clock\n-- in microseconds, always above its predecessor; a tag that was lost gets one that no stored entry can carry.\n-- Input: KEYS tags; ARGV[1] '1' to replace, ARGV[2] life in ms (0: no expiry), ARGV[3] channel, ARGV[4] message\n-- Output: { how many subscribers this node handed the message to (-1: the user may not publish), version, ... }\nlocal replaces, life = ARGV[1] == '1', tonumber(ARGV[2])\nlocal time = redis.call('TIME')\nlocal now = tonumber(time[1]) * 1000000 + tonumber(time[2])\nlocal reply = { 0 }\n\nlocal function renew(tag, current)\n  local last = tonumber(current)\n  local version = string.format('%.0f', last and last >= now and last + 1 or now)\n  if life > 0 then\n    redis.call('SET', tag, version, 'PX', life)\n  else\n    redis.call('SET', tag, version)\n  end\n  return version\nend\n\nlocal function prolong(tag)\n  local left = redis.call('PTTL', tag)\n  if left >= 0 and life == 0 then\n    redis.call('PERSIST', tag)\n  elseif left >= 0 and left < life / 2 then\n    redis.call('PEXPIRE', tag, life)\n  end\nend\n\nfor i, tag in ipairs(KEYS) do\n  local current = redis.call('GET', tag)\n  if current and not replaces then\n    prolong(tag)\n    reply[i + 1] = current\n  else\n    reply[i + 1] = renew(tag, current or nil)\n  end\nend\nif replaces then\n  local told = redis.pcall('PUBLISH', ARGV[3], ARGV[4])\n  reply[1] = type(told) == 'number' and told or -1\nend\nreturn reply\n",
};

export const writeScript: LuaScript = {
  name: "write",
  sha1: "470959d71d90b292d4907a872f5e8e41d9df584b",
  source: "-- Replaces or removes an entry whatever is in flight: kills the lease and tells every instance.\n-- Input: KEYS[1] entry, KEYS[2] lease (same hash tag)\n--        ARGV[1] channel, ARGV[2] message, ARGV[3] life in ms (0: no expiry, -1: remove the entry),\n--        ARGV[4] fresh for, in ms (0: for ever), ARGV[5] payload\n-- Output: how many subscribers this node handed the message to (-1: the user may not publish)\nlocal life = tonumber(ARGV[3])\nif life < 0 then\n  redis.call('DEL', KEYS[1])\nelse\n  local time, fresh = redis.call('TIME'), tonumber(ARGV[4])\n  local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000\n  local payload = ARGV[5] .. struct.pack('<d', fresh > 0 and now + fresh or 0)\n  if life > 0 then\n    redis.call('SET', KEYS[1], payload, 'PX', life)\n  else\n    redis.call('SET', KEYS[1], payload)\n  end\nend\nredis.call('DEL', KEYS[2])\nlocal told = redis.pcall('PUBLISH', ARGV[1], ARGV[2])\nreturn type(told) == 'number' and told or -1\n",
};
