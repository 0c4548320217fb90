-- Stores a loaded value if the lease's token survived: a delete, a set or an expiry in between has killed it.
-- Input: KEYS[1] entry, KEYS[2] lease (same hash tag)
--        ARGV[1] token (16 bytes), ARGV[2] life in ms (0: no expiry), ARGV[3] payload, ARGV[4] channel,
--        ARGV[5] message for the waiters
-- Output: 1 stored, 0 fenced
local held = redis.call('GET', KEYS[2])
if not held or string.sub(held, 1, 16) ~= ARGV[1] then
  return 0
end
local life = tonumber(ARGV[2])
if life > 0 then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', life)
else
  redis.call('SET', KEYS[1], ARGV[3])
end
redis.call('DEL', KEYS[2])
if #held > 16 then
  redis.call('PUBLISH', ARGV[4], ARGV[5])
end
return 1
