-- Reads one entry; on a miss, grants the lease to load it or says how long another holder keeps it.
-- Input: KEYS[1] entry, KEYS[2] lease (same hash tag)
--        ARGV[1] token (16 bytes), ARGV[2] lease in ms (0: want no lease)
--        ARGV[3] '1': want the lease even when the entry is fresh (an early refresh)
-- Output: { status, value or false, remaining ms of the entry (-1: no expiry), remaining ms of the lease }
--         status 0 nothing asked, 1 granted, 2 held by another
local value = redis.call('GET', KEYS[1])
local remaining = 0
if value then
  remaining = redis.call('PTTL', KEYS[1])
end
local lease = tonumber(ARGV[2])
-- Bytes 28 to 35 of an entry say how much of its life is stale time (codec/envelope.ts).
local fresh = value and (remaining < 0 or #value < 52 or remaining > struct.unpack('<d', value, 29))
if lease == 0 or (fresh and ARGV[3] ~= '1') then
  return { 0, value, remaining, 0 }
end
if redis.call('SET', KEYS[2], ARGV[1], 'PX', lease, 'NX') then
  return { 1, value, remaining, lease }
end
-- A 17th byte tells the holder that somebody waits, so that a load without waiters publishes nothing.
if redis.call('STRLEN', KEYS[2]) == 16 then
  redis.call('APPEND', KEYS[2], 'w')
end
return { 2, value, remaining, redis.call('PTTL', KEYS[2]) }
