-- Shape, input and output: algorithm.lua.
-- Sliding counter, s[at] = start, s[at + 1] = current, s[at + 2] = previous, s[at + 3] = the window they were written under
local function rolled(p, s, now)
  local start, current, previous, written = s[p.at], s[p.at + 1], s[p.at + 2], s[p.at + 3]
  if written > p.period then
    if now - start < written then return start, current, previous, written end
    start, current, previous = start + written, 0, current
  end
  local passed = now - start
  if passed < p.period then return start, current, previous, p.period end
  if passed < 2 * p.period then return start + p.period, 0, current, p.period end
  return floor(now / p.period) * p.period, 0, 0, p.period
end

local function elapsed(start, now)
  return max(now - start, 0)
end

function available.c(p, s, key, now)
  local start, current, previous, period = rolled(p, s, now)
  local free = p.n - current - (previous * (period - elapsed(start, now))) / period
  if free <= 0 then return 0 end
  return floor(free)
end

function debit.c(p, s, key, now, units)
  local start, current, previous, period = rolled(p, s, now)
  s[p.at], s[p.at + 1], s[p.at + 2], s[p.at + 3] = start, min(current + units, 2 * p.n), previous, period
end

function credit.c(p, s, key, now, units)
  local start, current, previous, period = rolled(p, s, now)
  local from_current = min(current, units)
  s[p.at], s[p.at + 1] = start, current - from_current
  s[p.at + 2], s[p.at + 3] = max(previous - (units - from_current), 0), period
end

function wait.c(p, s, key, now, units)
  if available.c(p, s, key, now) >= units then return 0 end
  local start, current, previous, period = rolled(p, s, now)
  local since = elapsed(start, now)
  local leaves = p.n - current - units
  if leaves >= 0 then
    return max(ceil(period - (leaves * period) / previous) + 1 - since, 1)
  end
  local into_next = ceil(period - ((p.n - units) * period) / current) + 1
  return period - since + max(into_next, 0)
end

function reset.c(p, s, key, now)
  local start, current, previous, period = rolled(p, s, now)
  local left = period - elapsed(start, now)
  if current > 0 then return left + period end
  if previous > 0 then return left end
  return 0
end
