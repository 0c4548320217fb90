-- Stores loaded values if their leases' tokens survived: a delete, a set or an expiry in between has killed them.
-- Input: KEYS[2i-1] entry, KEYS[2i] lease (same hash tag)
--        ARGV[1] channel, ARGV[2] bytes of an entry's key before its subject,
--        ARGV[4i-1] token (16 bytes), ARGV[4i] life in ms (0: no expiry), ARGV[4i+1] fresh for, in ms (0: for ever),
--        ARGV[4i+2] payload
-- Output: { moment of this server's clock in us, 1 stored or 0 fenced, ... }
local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local reply = { micros }
for i = 1, #KEYS / 2 do
  local entry, holder = KEYS[2 * i - 1], KEYS[2 * i]
  local held = redis.call('GET', holder)
  if held and string.sub(held, 1, 16) == ARGV[4 * i - 1] then
    local life, fresh = ARGV[4 * i], tonumber(ARGV[4 * i + 1])
    local payload = ARGV[4 * i + 2] .. struct.pack('<d', fresh > 0 and micros / 1000 + fresh or 0)
    if life ~= '0' then
      redis.call('SET', entry, payload, 'PX', life)
    else
      redis.call('SET', entry, payload)
    end
    redis.call('DEL', holder)
    if #held > 16 then
      redis.pcall('PUBLISH', ARGV[1], 'w' .. string.sub(entry, tonumber(ARGV[2]) + 1, -2))
    end
    reply[i + 1] = 1
  else
    reply[i + 1] = 0
  end
end
return reply
