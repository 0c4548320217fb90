-- Replaces or removes an entry whatever is in flight: kills the lease and tells every instance.
-- Input: KEYS[1] entry, KEYS[2] lease (same hash tag)
--        ARGV[1] channel, ARGV[2] message, ARGV[3] life in ms (0: no expiry, -1: remove the entry),
--        ARGV[4] fresh for, in ms (0: for ever), ARGV[5] payload
-- Output: how many subscribers this node handed the message to (-1: the user may not publish)
local life = tonumber(ARGV[3])
if life < 0 then
  redis.call('DEL', KEYS[1])
else
  local time, fresh = redis.call('TIME'), tonumber(ARGV[4])
  local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
  local payload = ARGV[5] .. struct.pack('<d', fresh > 0 and now + fresh or 0)
  if life > 0 then
    redis.call('SET', KEYS[1], payload, 'PX', life)
  else
    redis.call('SET', KEYS[1], payload)
  end
end
redis.call('DEL', KEYS[2])
local told = redis.pcall('PUBLISH', ARGV[1], ARGV[2])
return type(told) == 'number' and told or -1
