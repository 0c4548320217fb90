-- decide.lua for the commonest plan, one enforcing GCRA policy, in a third of its time. The arithmetic is that of gcra.lua.
-- The keys must differ from each other, since all records are read before any is written.
-- KEYS, ARGV, output: decide.lua.
local pack, unpack_record, call = struct.pack, struct.unpack, redis.call
local floor, ceil, max = math.floor, math.ceil, math.max
local not_after = tonumber(ARGV[1])
if not_after > 0 and now > not_after then return pack('<d', now) end
local runs = tonumber(ARGV[2])
local interval = tonumber(ARGV[runs * 3 + 11])
local whole = tonumber(ARGV[runs * 3 + 10]) * interval

if #KEYS == 1 then
  -- A hot key, or Cluster: without the tables that many keys need, in three quarters of the time.
  local cost, count = tonumber(ARGV[4]), tonumber(ARGV[5])
  local raw = call('GET', KEYS[1])
  local written, tat = 0, 0
  if raw and #raw == 16 then written, tat = unpack_record('<dd', raw) end
  if written <= now then
    --@use gcra_take
    if granted > 0 then
      call('SET', KEYS[1], pack('<dd', interval, now + behind), 'PX', tostring(ceil(behind / 1000) + 1))
    end
  end
  return pack('<ddd', now, written, tat)
end

-- Expiries come in sixteenths of the quota: Redis takes strings several times faster than numbers.
local expiries = {}
local empty = string.rep('\0', 16)
local raws = call('MGET', unpack(KEYS))
local reply = { pack('<d', now) }
local to = 0
for run = 1, runs do
  local cost, count = tonumber(ARGV[run * 3 + 1]), tonumber(ARGV[run * 3 + 2])
  local from = to + 1
  to = to + tonumber(ARGV[run * 3])
  for index = from, to do
    local raw = raws[index]
    if not raw or #raw ~= 16 then raw = empty end
    reply[index + 1] = raw
    local written, tat = unpack_record('<dd', raw)
    if written <= now then
      --@use gcra_take
      if granted > 0 then
        local sixteenths = ceil(behind * 16 / whole)
        local expiry = expiries[sixteenths]
        if not expiry then
          expiry = tostring(ceil(sixteenths * whole / 16000) + 1)
          expiries[sixteenths] = expiry
        end
        call('SET', KEYS[index], pack('<dd', interval, now + behind), 'PX', expiry)
      end
    end
  end
end
return table.concat(reply)
