-- Shape, input and output: algorithm.lua.
-- Sliding log, s[at] = head, s[at + 1] = size of the ring (record.lua: at least p.n), ring of times from byte p.extra of the
-- record. Of a longer ring the oldest times, which a lower limit has no room for, must be gone before a unit is free.
local function entry(p, s, key, index)
  local offset = p.extra + 8 * ((s[p.at] + index) % s[p.at + 1])
  local raw = redis.call('GETRANGE', key, offset, offset + 7)
  if #raw < 8 then return 0 end
  return (struct.unpack('<d', raw))
end

local function gone(p, time, now)
  return now - time > p.period
end

local function till(p, time, now)
  if gone(p, time, now) then return 0 end
  return min(time + p.period + 1 - now, p.period + 1)
end

local function write_ring(p, key, from, count, time)
  if count > 0 then
    redis.call('SETRANGE', key, p.extra + 8 * from, string.rep(struct.pack('<d', time), count))
  end
end

function available.l(p, s, key, now)
  local size = s[p.at + 1]
  local low, high = 0, size
  while low < high do
    local middle = floor((low + high) / 2)
    if gone(p, entry(p, s, key, middle), now) then low = middle + 1 else high = middle end
  end
  return max(low - (size - p.n), 0)
end

function debit.l(p, s, key, now, units)
  local head, size = s[p.at], s[p.at + 1]
  local written = min(units, p.n)
  local stamp = max(now, entry(p, s, key, size - 1))
  local first = min(written, size - head)
  write_ring(p, key, head, first, stamp)
  write_ring(p, key, 0, written - first, stamp)
  s[p.at] = (head + written) % size
end

function credit.l(p, s, key, now, units)
  local size = s[p.at + 1]
  for _ = 1, min(units, size) do
    if gone(p, entry(p, s, key, size - 1), now) then break end
    local newest = (s[p.at] + size - 1) % size
    write_ring(p, key, newest, 1, 0)
    s[p.at] = newest
  end
end

function wait.l(p, s, key, now, units)
  return till(p, entry(p, s, key, s[p.at + 1] - p.n + units - 1), now)
end

function reset.l(p, s, key, now)
  return till(p, entry(p, s, key, s[p.at + 1] - 1), now)
end
