-- Gives a lease back without a value (the load failed, or chose not to be cached) and wakes whoever waits.
-- Input: KEYS[1] lease; ARGV[1] token (16 bytes), ARGV[2] channel, ARGV[3] bytes of the key before its subject,
--        ARGV[4] first byte of the message: 'f' the load failed, 'w' otherwise
-- Output: 1 released, 0 it was no longer ours
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, 16) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
if #held > 16 then
  redis.pcall('PUBLISH', ARGV[2], ARGV[4] .. string.sub(KEYS[1], tonumber(ARGV[3]) + 1, -2))
end
return 1
