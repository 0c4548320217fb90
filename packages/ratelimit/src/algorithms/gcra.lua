-- Shape, input and output: algorithm.lua.
-- GCRA, s[at] = TAT, s[at + p.extra] = the interval that TAT was written under, or the end of a block, which is above all
-- intervals.
-- The arithmetic stands in fragments, whose lines generate.ts puts where `--@use` names them: Redis makes the functions of
-- a script anew at each call, and calling them took decide-gcra.lua 10 to 28 % longer.

--@fragment gcra_backlog
-- local behind: TAT − now under this interval, at least 0. From tat, written, interval, now.
local behind = max(tat - now, 0)
if behind > 0 and written ~= interval and written > 0 and written < 281474976710656 then
  behind = ceil(behind / written * interval * 16) / 16
end
--@end

--@fragment gcra_units
-- local free: the whole units that conform. From behind, whole (µs of all units), interval.
local free = 0
if behind < whole then free = floor((whole - behind) / interval) end
--@end

--@fragment gcra_take
-- local granted: how many of count requests conform, and behind after them. From tat, written, interval, whole, now.
--@use gcra_backlog
--@use gcra_units
local granted = count
if free < count * cost then granted = floor(free / cost) end
if granted > 0 then behind = ceil((behind + granted * cost * interval) * 16) / 16 end
--@end

local function backlog(p, s, now)
  local tat, written, interval = s[p.at], s[p.at + p.extra], p.period
  --@use gcra_backlog
  return min(behind, 2 * p.n * interval)
end

local function write_tat(p, s, now, behind)
  s[p.at] = now + ceil(behind * 16) / 16
  if p.extra > 0 or s[p.at + p.extra] <= now then s[p.at + p.extra] = p.period end
end

function available.g(p, s, key, now)
  local behind, interval = backlog(p, s, now), p.period
  local whole = p.n * interval
  --@use gcra_units
  return free
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
