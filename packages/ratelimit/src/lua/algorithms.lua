-- The algorithms of src/algorithms, with the same operations in the same order on the same doubles.
-- Input: p, a policy { code, shadow, limit, window, capacity, interval, refill, at, log }; s, the header cells of a
-- record (1-based, p.at the first of the policy's); key, the record, for the cells of a sliding log; now, in µs.
-- A record is a string of little-endian doubles: blocked-until, each policy's header, then the rings of sliding logs.
local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max
local headers = { g = 1, f = 2, c = 3, l = 1, t = 2 }
local available, debit, credit, wait, reset = {}, {}, {}, {}, {}

-- GCRA, s[at] = TAT
local function backlog(p, tat, now)
  local ahead = tat - now
  if ahead <= 0 then return 0 end
  return min(ahead, 2 * p.capacity * p.interval)
end

function available.g(p, s, key, now)
  local free = p.capacity * p.interval - backlog(p, s[p.at], now)
  if free <= 0 then return 0 end
  return floor(free / p.interval)
end

function debit.g(p, s, key, now, units)
  local next = backlog(p, s[p.at], now) + units * p.interval
  s[p.at] = now + min(next, 2 * p.capacity * p.interval)
end

function credit.g(p, s, key, now, units)
  local next = backlog(p, s[p.at], now) - units * p.interval
  if next <= 0 then s[p.at] = 0 else s[p.at] = now + next end
end

function wait.g(p, s, key, now, units)
  return max(backlog(p, s[p.at], now) + units * p.interval - p.capacity * p.interval, 0)
end

function reset.g(p, s, key, now)
  return backlog(p, s[p.at], now)
end

-- Fixed window, s[at] = start, s[at + 1] = used
local function fixed_used(p, s, now)
  if now - s[p.at] >= p.window then return 0 end
  return s[p.at + 1]
end

local function fixed_remainder(p, s, now)
  return min(s[p.at] + p.window - now, p.window)
end

function available.f(p, s, key, now)
  return max(p.limit - fixed_used(p, s, now), 0)
end

function debit.f(p, s, key, now, units)
  local before = fixed_used(p, s, now)
  if before == 0 then s[p.at] = now end
  s[p.at + 1] = min(before + units, 2 * p.limit)
end

function credit.f(p, s, key, now, units)
  s[p.at + 1] = max(fixed_used(p, s, now) - units, 0)
end

function wait.f(p, s, key, now, units)
  if fixed_used(p, s, now) + units <= p.limit then return 0 end
  return fixed_remainder(p, s, now)
end

function reset.f(p, s, key, now)
  if fixed_used(p, s, now) == 0 then return 0 end
  return fixed_remainder(p, s, now)
end

-- Sliding counter, s[at] = start, s[at + 1] = current, s[at + 2] = previous
local function rolled(p, s, now)
  local start = s[p.at]
  local passed = now - start
  if passed < p.window then return start, s[p.at + 1], s[p.at + 2] end
  local aligned = floor(now / p.window) * p.window
  if passed < 2 * p.window then return aligned, 0, s[p.at + 1] end
  return aligned, 0, 0
end

local function elapsed(start, now)
  return max(now - start, 0)
end

function available.c(p, s, key, now)
  local start, current, previous = rolled(p, s, now)
  local free = p.limit - current - (previous * (p.window - elapsed(start, now))) / p.window
  if free <= 0 then return 0 end
  return floor(free)
end

function debit.c(p, s, key, now, units)
  local start, current, previous = rolled(p, s, now)
  s[p.at], s[p.at + 1], s[p.at + 2] = start, min(current + units, 2 * p.limit), previous
end

function credit.c(p, s, key, now, units)
  local start, current, previous = rolled(p, s, now)
  local from_current = min(current, units)
  s[p.at], s[p.at + 1], s[p.at + 2] = start, current - from_current, max(previous - (units - from_current), 0)
end

function wait.c(p, s, key, now, units)
  if available.c(p, s, key, now) >= units then return 0 end
  local start, current, previous = rolled(p, s, now)
  local since = elapsed(start, now)
  local leaves = p.limit - current - units
  if leaves >= 0 then
    return max(ceil(p.window - (leaves * p.window) / previous) + 1 - since, 1)
  end
  local into_next = ceil(p.window - ((p.limit - units) * p.window) / current) + 1
  return p.window - since + max(into_next, 0)
end

function reset.c(p, s, key, now)
  local start, current, previous = rolled(p, s, now)
  local left = p.window - elapsed(start, now)
  if current > 0 then return left + p.window end
  if previous > 0 then return left end
  return 0
end

-- Sliding log, s[at] = head, ring of p.limit times from byte p.log of the record
local function entry(p, s, key, index)
  local offset = p.log + 8 * ((s[p.at] + index) % p.limit)
  local raw = redis.call('GETRANGE', key, offset, offset + 7)
  if #raw < 8 then return 0 end
  return (struct.unpack('<d', raw))
end

local function gone(p, time, now)
  return now - time > p.window
end

local function till(p, time, now)
  if gone(p, time, now) then return 0 end
  return min(time + p.window + 1 - now, p.window + 1)
end

local function write_ring(p, key, from, count, time)
  if count > 0 then
    redis.call('SETRANGE', key, p.log + 8 * from, string.rep(struct.pack('<d', time), count))
  end
end

function available.l(p, s, key, now)
  local low, high = 0, p.limit
  while low < high do
    local middle = floor((low + high) / 2)
    if gone(p, entry(p, s, key, middle), now) then low = middle + 1 else high = middle end
  end
  return low
end

function debit.l(p, s, key, now, units)
  local head = s[p.at]
  local written = min(units, p.limit)
  local stamp = max(now, entry(p, s, key, p.limit - 1))
  local first = min(written, p.limit - head)
  write_ring(p, key, head, first, stamp)
  write_ring(p, key, 0, written - first, stamp)
  s[p.at] = (head + written) % p.limit
end

function credit.l(p, s, key, now, units)
  for _ = 1, min(units, p.limit) do
    if gone(p, entry(p, s, key, p.limit - 1), now) then break end
    local newest = (s[p.at] + p.limit - 1) % p.limit
    write_ring(p, key, newest, 1, 0)
    s[p.at] = newest
  end
end

function wait.l(p, s, key, now, units)
  return till(p, entry(p, s, key, units - 1), now)
end

function reset.l(p, s, key, now)
  return till(p, entry(p, s, key, p.limit - 1), now)
end

-- Token bucket, s[at] = used, s[at + 1] = time of the last refill
local function refills(p, s, now)
  local passed = now - s[p.at + 1]
  if passed < p.interval then return 0 end
  return floor(passed / p.interval)
end

local function bucket_used(p, s, now)
  if s[p.at] == 0 then return 0 end
  return max(s[p.at] - refills(p, s, now) * p.refill, 0)
end

local function refilled_at(p, s, now)
  return min(s[p.at + 1] + refills(p, s, now) * p.interval, now)
end

function available.t(p, s, key, now)
  return max(p.capacity - bucket_used(p, s, now), 0)
end

function debit.t(p, s, key, now, units)
  local before = bucket_used(p, s, now)
  if before == 0 then s[p.at + 1] = now else s[p.at + 1] = refilled_at(p, s, now) end
  s[p.at] = min(before + units, 2 * p.capacity)
end

function credit.t(p, s, key, now, units)
  local after = bucket_used(p, s, now) - units
  s[p.at + 1] = refilled_at(p, s, now)
  s[p.at] = max(after, 0)
end

function wait.t(p, s, key, now, units)
  local missing = bucket_used(p, s, now) + units - p.capacity
  if missing <= 0 then return 0 end
  return refilled_at(p, s, now) + ceil(missing / p.refill) * p.interval - now
end

function reset.t(p, s, key, now)
  local used = bucket_used(p, s, now)
  if used == 0 then return 0 end
  return refilled_at(p, s, now) + ceil(used / p.refill) * p.interval - now
end
