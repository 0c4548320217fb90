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
      local part = parts[p.part]
      part.logs = part.logs or {}
      part.logs[#part.logs + 1] = p
    end
  end
  for index = 1, #parts do
    if parts[index].logs then table.sort(parts[index].logs, function(a, b) return a.extra < b.extra end) end
  end
  return parts, policies, has_log
end

-- Finds where each ring begins. A ring is as long as the highest limit it was written under: times that a lower limit
-- does not look at may still count under the higher one. A ring that is too short is written anew, once.
local function fit_rings(key, part, s)
  local fits, from = true, part.bytes
  for index = 1, #part.logs do
    local p = part.logs[index]
    if s[p.at + 1] == 0 then s[p.at + 1] = p.n end
    fits = fits and s[p.at + 1] >= p.n
    p.extra = from
    from = from + 8 * s[p.at + 1]
  end
  if fits then return end
  local never = string.rep('\0', 8)
  local raw, pieces = call('GET', key), {}
  from = part.bytes
  for index = 1, #part.logs do
    local p = part.logs[index]
    local head, size = s[p.at], s[p.at + 1]
    local longer = max(size, p.n)
    for place = size - longer, size - 1 do
      local piece = ''
      if place >= 0 then
        local offset = p.extra + 8 * ((head + place) % size)
        piece = string.sub(raw, offset + 1, offset + 8)
      end
      if #piece < 8 then piece = never end
      pieces[#pieces + 1] = piece
    end
    s[p.at], s[p.at + 1], p.extra = 0, longer, from
    from = from + 8 * longer
  end
  local cells = pack(part.format, unpack(s, part.at, part.at + part.width - 1))
  call('SETRANGE', key, 0, cells .. table.concat(pieces))
end

-- Puts a record's cells into s and returns them as they are stored; a missing one is all zeros.
local function read_record(key, part, s)
  local raw
  if part.logs then raw = call('GETRANGE', key, 0, part.bytes - 1) else raw = call('GET', key) end
  if not raw or #raw ~= part.bytes then raw = part.empty end
  local cells = { struct.unpack(part.format, raw) }
  for cell = 1, part.width do s[part.at + cell - 1] = cells[cell] end
  if part.logs then fit_rings(key, part, s) end
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
  if part.logs then
    call('SETRANGE', key, 0, packed)
    call('PEXPIRE', key, ttl)
  else
    call('SET', key, packed, 'PX', ttl)
  end
end
