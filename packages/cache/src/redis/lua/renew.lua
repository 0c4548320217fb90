-- Prolongs a lease that is still ours, for a load that outlives it.
-- Input: KEYS[1] lease; ARGV[1] token (16 bytes), ARGV[2] lease in ms
-- Output: 1 renewed, 0 it was no longer ours
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, 16) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]))
