-- Shape, input and output: algorithm.lua.
-- Fixed window, s[at] = start, s[at + 1] = used
local function fixed_used(p, s, now)
  if now - s[p.at] >= p.period then return 0 end
  return s[p.at + 1]
end

local function fixed_remainder(p, s, now)
  return min(s[p.at] + p.period - now, p.period)
end

function available.f(p, s, key, now)
  return max(p.n - fixed_used(p, s, now), 0)
end

function debit.f(p, s, key, now, units)
  local before = fixed_used(p, s, now)
  if before == 0 then s[p.at] = now end
  s[p.at + 1] = min(before + units, 2 * p.n)
end

function credit.f(p, s, key, now, units)
  s[p.at + 1] = max(fixed_used(p, s, now) - units, 0)
end

function wait.f(p, s, key, now, units)
  if fixed_used(p, s, now) + units <= p.n then return 0 end
  return fixed_remainder(p, s, now)
end

function reset.f(p, s, key, now)
  if fixed_used(p, s, now) == 0 then return 0 end
  return fixed_remainder(p, s, now)
end
