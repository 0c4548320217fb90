-- Reads the policies of ARGV and the records of KEYS; see algorithms.lua for their shape.
-- ARGV from `first`: number of policies, then for each: code, shadow, limit, window, capacity, interval, refill.
local function read_policies(first)
  local count = tonumber(ARGV[first])
  local policies = {}
  local at = 2
  for index = 1, count do
    local base = first + 1 + (index - 1) * 7
    local p = {
      code = ARGV[base],
      shadow = ARGV[base + 1] == '1',
      limit = tonumber(ARGV[base + 2]),
      window = tonumber(ARGV[base + 3]),
      capacity = tonumber(ARGV[base + 4]),
      interval = tonumber(ARGV[base + 5]),
      refill = tonumber(ARGV[base + 6]),
      at = at,
    }
    at = at + headers[p.code]
    policies[index] = p
  end
  local width = at - 1
  local bytes = width * 8
  local has_log = false
  for index = 1, count do
    local p = policies[index]
    if p.code == 'l' then
      has_log = true
      p.log = bytes
      bytes = bytes + p.limit * 8
    end
  end
  return policies, '<' .. string.rep('d', width), width, has_log, first + 1 + count * 7
end

local function read_record(key, format, width, has_log)
  local raw
  if has_log then raw = redis.call('GETRANGE', key, 0, width * 8 - 1) else raw = redis.call('GET', key) end
  if raw and #raw == width * 8 then return { struct.unpack(format, raw) } end
  local s = {}
  for cell = 1, width do s[cell] = 0 end
  return s
end

-- Writes the header and the expiry: the record goes when it says no more than a missing one.
local function write_record(key, s, format, width, has_log, policies, now)
  local longest = s[1] - now
  for index = 1, #policies do
    local p = policies[index]
    longest = max(longest, reset[p.code](p, s, key, now))
  end
  if longest <= 0 then
    redis.call('DEL', key)
    return
  end
  local packed = struct.pack(format, unpack(s, 1, width))
  -- Redis writes numbers with 17 digits: whole milliseconds pass unharmed.
  local ttl = ceil(longest / 1000) + 1
  if has_log then
    redis.call('SETRANGE', key, 0, packed)
    redis.call('PEXPIRE', key, ttl)
  else
    redis.call('SET', key, packed, 'PX', ttl)
  end
end
