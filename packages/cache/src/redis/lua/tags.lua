-- Reads the versions of tags, making those that are missing, or replaces them all. A version is a moment of this server's clock
-- in microseconds, always above its predecessor; a tag that was lost gets one that no stored entry can carry.
-- Input: KEYS tags; ARGV[1] '1' to replace, ARGV[2] life in ms (0: no expiry), ARGV[3] channel, ARGV[4] message
-- Output: { how many subscribers this node handed the message to (-1: the user may not publish), version, ... }
local replaces, life = ARGV[1] == '1', tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local reply = { 0 }

local function renew(tag, current)
  local last = tonumber(current)
  local version = string.format('%.0f', last and last >= now and last + 1 or now)
  if life > 0 then
    redis.call('SET', tag, version, 'PX', life)
  else
    redis.call('SET', tag, version)
  end
  return version
end

local function prolong(tag)
  local left = redis.call('PTTL', tag)
  if left >= 0 and life == 0 then
    redis.call('PERSIST', tag)
  elseif left >= 0 and left < life / 2 then
    redis.call('PEXPIRE', tag, life)
  end
end

for i, tag in ipairs(KEYS) do
  local current = redis.call('GET', tag)
  if current and not replaces then
    prolong(tag)
    reply[i + 1] = current
  else
    reply[i + 1] = renew(tag, current or nil)
  end
end
if replaces then
  local told = redis.pcall('PUBLISH', ARGV[3], ARGV[4])
  reply[1] = type(told) == 'number' and told or -1
end
return reply
