-- Replaces or removes an entry whatever is in flight: kills the lease and tells every instance.
-- Input: KEYS[1] entry, KEYS[2] lease (same hash tag)
--        ARGV[1] life in ms (0: no expiry, -1: remove the entry), ARGV[2] payload, ARGV[3] channel, ARGV[4] message
-- Output: how many subscribers this node handed the message to
local life = tonumber(ARGV[1])
if life < 0 then
  redis.call('DEL', KEYS[1])
elseif life > 0 then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', life)
else
  redis.call('SET', KEYS[1], ARGV[2])
end
redis.call('DEL', KEYS[2])
return redis.call('PUBLISH', ARGV[3], ARGV[4])
