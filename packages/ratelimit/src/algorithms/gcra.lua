-- Shape, input and output: algorithm.lua.
-- GCRA, s[at] = TAT, s[at + p.extra] = the period it was written under, or the end of a block, which is above all periods
local function backlog(p, s, now)
  local ahead = s[p.at] - now
  if ahead <= 0 then return 0 end
  local written = s[p.at + p.extra]
  if written ~= p.period and written > 0 and written < 281474976710656 then
    ahead = ceil(ahead / written * p.period * 16) / 16
  end
  return min(ahead, 2 * p.n * p.period)
end

local function write_tat(p, s, now, behind)
  s[p.at] = now + ceil(behind * 16) / 16
  if p.extra > 0 or s[p.at + p.extra] <= now then s[p.at + p.extra] = p.period end
end

function available.g(p, s, key, now)
  local free = p.n * p.period - backlog(p, s, now)
  if free <= 0 then return 0 end
  return floor(free / p.period)
end

function debit.g(p, s, key, now, units)
  local next = backlog(p, s, now) + units * p.period
  write_tat(p, s, now, min(next, 2 * p.n * p.period))
end

function credit.g(p, s, key, now, units)
  local next = backlog(p, s, now) - units * p.period
  if next <= 0 then s[p.at] = 0 else write_tat(p, s, now, next) end
end

function wait.g(p, s, key, now, units)
  return max(backlog(p, s, now) + units * p.period - p.n * p.period, 0)
end

function reset.g(p, s, key, now)
  return backlog(p, s, now)
end
