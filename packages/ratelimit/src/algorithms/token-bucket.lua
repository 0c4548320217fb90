-- Shape, input and output: algorithm.lua.
-- Token bucket, s[at] = used, s[at + 1] = time of the last refill
local function refills(p, s, now)
  local passed = now - s[p.at + 1]
  if passed < p.period then return 0 end
  return floor(passed / p.period)
end

local function bucket_used(p, s, now)
  if s[p.at] == 0 then return 0 end
  return max(s[p.at] - refills(p, s, now) * p.extra, 0)
end

local function refilled_at(p, s, now)
  return min(s[p.at + 1] + refills(p, s, now) * p.period, now)
end

function available.t(p, s, key, now)
  return max(p.n - bucket_used(p, s, now), 0)
end

function debit.t(p, s, key, now, units)
  local before = bucket_used(p, s, now)
  if before == 0 then s[p.at + 1] = now else s[p.at + 1] = refilled_at(p, s, now) end
  s[p.at] = min(before + units, 2 * p.n)
end

function credit.t(p, s, key, now, units)
  local after = bucket_used(p, s, now) - units
  s[p.at + 1] = refilled_at(p, s, now)
  s[p.at] = max(after, 0)
end

function wait.t(p, s, key, now, units)
  local missing = bucket_used(p, s, now) + units - p.n
  if missing <= 0 then return 0 end
  return refilled_at(p, s, now) + ceil(missing / p.extra) * p.period - now
end

function reset.t(p, s, key, now)
  local used = bucket_used(p, s, now)
  if used == 0 then return 0 end
  return refilled_at(p, s, now) + ceil(used / p.extra) * p.period - now
end
