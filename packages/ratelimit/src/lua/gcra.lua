-- Shape, input and output: algorithms.lua.
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
