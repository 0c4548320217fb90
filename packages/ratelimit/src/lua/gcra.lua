-- Shape, input and output: algorithms.lua.
-- GCRA, s[at] = TAT
local function backlog(p, tat, now)
  local ahead = tat - now
  if ahead <= 0 then return 0 end
  return min(ahead, 2 * p.n * p.period)
end

function available.g(p, s, key, now)
  local free = p.n * p.period - backlog(p, s[p.at], now)
  if free <= 0 then return 0 end
  return floor(free / p.period)
end

function debit.g(p, s, key, now, units)
  local next = backlog(p, s[p.at], now) + units * p.period
  s[p.at] = now + min(next, 2 * p.n * p.period)
end

function credit.g(p, s, key, now, units)
  local next = backlog(p, s[p.at], now) - units * p.period
  if next <= 0 then s[p.at] = 0 else s[p.at] = now + next end
end

function wait.g(p, s, key, now, units)
  return max(backlog(p, s[p.at], now) + units * p.period - p.n * p.period, 0)
end

function reset.g(p, s, key, now)
  return backlog(p, s[p.at], now)
end
