-- Reads the plan of ARGV and the records of KEYS.
-- ARGV from `first`: number of records a decision reads, the cells of each; number of policies, then for each: code,
-- record, shadow, first cell, and the numbers n, period and extra: for GCRA capacity, µs a unit, where the µs a unit that TAT was written
-- under stand, relative to it; for a token bucket
-- capacity, µs between refills, units a refill; for a sliding log limit, window, where its ring begins in the record;
-- else limit, window, –.
local function read_plan(first)
  local parts, policies, at = {}, {}, 1
  local base = first + tonumber(ARGV[first]) + 1
  for index = 1, base - first - 1 do
    local width = tonumber(ARGV[first + index])
    local bytes = width * 8
    parts[index] =
      { at = at, width = width, bytes = bytes, format = '<' .. string.rep('d', width), empty = string.rep('\0', bytes) }
    at = at + width
  end
  local has_log = false
  for index = 1, tonumber(ARGV[base]) do
    local p = {
      code = ARGV[base + 1],
      part = tonumber(ARGV[base + 2]),
      shadow = ARGV[base + 3] == '1',
      at = tonumber(ARGV[base + 4]),
      n = tonumber(ARGV[base + 5]),
      period = tonumber(ARGV[base + 6]),
      extra = tonumber(ARGV[base + 7]),
    }
    base = base + 7
    policies[index] = p
    if p.code == 'l' then
      has_log = true
      parts[p.part].has_log = true
    end
  end
  return parts, policies, has_log
end

-- Puts a record's cells into s and returns them as they are stored; a missing one is all zeros.
local function read_record(key, part, s)
  local raw
  if part.has_log then raw = call('GETRANGE', key, 0, part.bytes - 1) else raw = call('GET', key) end
  if not raw or #raw ~= part.bytes then raw = part.empty end
  local cells = { struct.unpack(part.format, raw) }
  for cell = 1, part.width do s[part.at + cell - 1] = cells[cell] end
  return raw
end

-- Writes a record's cells and expiry, or deletes the record once it is equivalent to a missing one.
local function write_record(key, number, part, s, policies, now)
  local longest = s[part.at] - now
  for index = 1, #policies do
    local p = policies[index]
    if p.part == number then longest = max(longest, reset[p.code](p, s, key, now)) end
  end
  if longest <= 0 then
    call('DEL', key)
    return
  end
  local packed = pack(part.format, unpack(s, part.at, part.at + part.width - 1))
  -- Redis writes numbers with 17 digits: whole milliseconds pass unharmed.
  local ttl = ceil(longest / 1000) + 1
  if part.has_log then
    call('SETRANGE', key, 0, packed)
    call('PEXPIRE', key, ttl)
  else
    call('SET', key, packed, 'PX', ttl)
  end
end
