-- Shape, input and output: algorithm.lua.
-- Sliding counter, s[at] = start, s[at + 1] = current, s[at + 2] = previous
local function rolled(p, s, now)
  local start = s[p.at]
  local passed = now - start
  if passed < p.period then return start, s[p.at + 1], s[p.at + 2] end
  local aligned = floor(now / p.period) * p.period
  if passed < 2 * p.period then return aligned, 0, s[p.at + 1] end
  return aligned, 0, 0
end

local function elapsed(start, now)
  return max(now - start, 0)
end

function available.c(p, s, key, now)
  local start, current, previous = rolled(p, s, now)
  local free = p.n - current - (previous * (p.period - elapsed(start, now))) / p.period
  if free <= 0 then return 0 end
  return floor(free)
end

function debit.c(p, s, key, now, units)
  local start, current, previous = rolled(p, s, now)
  s[p.at], s[p.at + 1], s[p.at + 2] = start, min(current + units, 2 * p.n), previous
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
  local leaves = p.n - current - units
  if leaves >= 0 then
    return max(ceil(p.period - (leaves * p.period) / previous) + 1 - since, 1)
  end
  local into_next = ceil(p.period - ((p.n - units) * p.period) / current) + 1
  return p.period - since + max(into_next, 0)
end

function reset.c(p, s, key, now)
  local start, current, previous = rolled(p, s, now)
  local left = p.period - elapsed(start, now)
  if current > 0 then return left + p.period end
  if previous > 0 then return left end
  return 0
end
