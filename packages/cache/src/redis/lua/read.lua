-- Reads entries; where one is missing or stale, grants the lease to load it or says how long another holder keeps it.
-- Input: KEYS[2i-1] entry, KEYS[2i] lease (same hash tag)
--        ARGV[1] lease in ms, ARGV[2i] token (16 bytes),
--        ARGV[2i+1] which lease is wanted: '0' none, '1' if the entry is missing or stale, '2' in any case
-- Output: { moment of this server's clock in us, { status, value or false, remaining ms of the lease }, ... }
--         status 0 nothing asked, 1 granted, 2 held by another
local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
-- Numbers that only pass through stay text: turning them into numbers and back costs more than the commands themselves.
local lease = ARGV[1]
local reply = { micros }

local function read(entry, holder, token, wish)
  local value = redis.call('GET', entry)
  -- The last 8 bytes of an entry say until when it is fresh (values/envelope.ts).
  local fresh = false
  if value then
    fresh = true
    if #value >= 35 then
      local until_ms = struct.unpack('<d', value, #value - 7)
      fresh = until_ms == 0 or until_ms > micros / 1000
    end
  end
  if wish == '0' or (fresh and wish ~= '2') then
    return { 0, value, 0 }
  end
  if redis.call('SET', holder, token, 'PX', lease, 'NX') then
    return { 1, value, tonumber(lease) }
  end
  local held = redis.call('GET', holder)
  -- Ours already: the reply that told of it was lost.
  if string.sub(held, 1, 16) == token then
    redis.call('PEXPIRE', holder, lease)
    return { 1, value, tonumber(lease) }
  end
  -- A 17th byte tells the holder that somebody waits, so that a load without waiters publishes nothing.
  if #held == 16 then
    redis.call('APPEND', holder, 'w')
  end
  return { 2, value, redis.call('PTTL', holder) }
end

for i = 1, #KEYS / 2 do
  reply[i + 1] = read(KEYS[2 * i - 1], KEYS[2 * i], ARGV[2 * i], ARGV[2 * i + 1])
end
return reply
