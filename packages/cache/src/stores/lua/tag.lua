-- Reads the version of a tag, making one if it has none, or replaces it. A version is a moment of this server's clock in
-- microseconds, always above its predecessor; a tag that was lost gets one that no stored entry can carry.
-- Input: KEYS[1] tag; ARGV[1] '1' to replace, ARGV[2] life in ms, ARGV[3] channel, ARGV[4] message
-- Output: { version, how many subscribers this node handed the message to }
local current = redis.call('GET', KEYS[1])
local life = tonumber(ARGV[2])
if current and ARGV[1] ~= '1' then
  if redis.call('PTTL', KEYS[1]) < life / 2 then
    redis.call('PEXPIRE', KEYS[1], life)
  end
  return { current, 0 }
end
local time = redis.call('TIME')
local version = tonumber(time[1]) * 1000000 + tonumber(time[2])
if current and version <= tonumber(current) then
  version = tonumber(current) + 1
end
local text = string.format('%.0f', version)
redis.call('SET', KEYS[1], text, 'PX', life)
if ARGV[1] ~= '1' then
  return { text, 0 }
end
return { text, redis.call('PUBLISH', ARGV[3], ARGV[4]) }
