-- Decides requests against all policies of a limiter at once; decide.ts mirrored, for many entries in one call.
-- Input: equal requests of one key come as one entry with a count.
-- KEYS: the records of each entry in turn, as many as the plan has (on Cluster: all of one slot).
-- ARGV: not-after (server µs; 0 = none); number of runs, then for each: how many entries, their cost, their count; the
-- plan (record.lua).
-- Output, as little-endian doubles: now alone when the call came too late and changed nothing; else now and, for each
-- entry, its records' cells as they were before: what was decided follows from them. The ring of a sliding log is too
-- long for that: where a plan has one, an entry's answer is granted, blocked µs, and for each policy: available, wait
-- µs, next µs, reset µs, requests debited.
local not_after = tonumber(ARGV[1])
if not_after > 0 and now > not_after then return pack('<d', now) end
local runs = tonumber(ARGV[2])
local parts, policies, has_log = read_plan(3 + 3 * runs)
local reply = { pack('<d', now) }
local filled, from = 1, 0
local s, keys, free, taken, touched = {}, {}, {}, {}, {}

local function answer(granted, blocked, cost)
  local fields = { granted, blocked }
  for number = 1, #policies do
    local p = policies[number]
    local key, units = keys[p.part], free[number]
    local wait_us, next_us = 0, 0
    if units < cost then wait_us = wait[p.code](p, s, key, now, cost) end
    if units < p.n then next_us = wait[p.code](p, s, key, now, units + 1) end
    local at = number * 5 - 2
    fields[at], fields[at + 1], fields[at + 2] = units, wait_us, next_us
    fields[at + 3], fields[at + 4] = reset[p.code](p, s, key, now), taken[number]
  end
  return pack('<' .. string.rep('d', #fields), unpack(fields))
end

for run = 1, runs do
  local cost, count = tonumber(ARGV[run * 3 + 1]), tonumber(ARGV[run * 3 + 2])
  for _ = 1, tonumber(ARGV[run * 3]) do
    local blocked = 0
    for number = 1, #parts do
      local part = parts[number]
      local key = KEYS[from + number]
      keys[number], touched[number] = key, false
      local raw = read_record(key, part, s)
      blocked = max(blocked, s[part.at] - now)
      if not has_log then
        filled = filled + 1
        reply[filled] = raw
      end
    end
    from = from + #parts
    local granted = count
    if blocked > 0 then granted = 0 end
    for number = 1, #policies do
      local p = policies[number]
      local units = available[p.code](p, s, keys[p.part], now)
      free[number] = units
      if units < granted * cost and not p.shadow then granted = floor(units / cost) end
    end
    for number = 1, #policies do
      local p = policies[number]
      taken[number] = min(granted, floor(free[number] / cost))
      if taken[number] > 0 then
        debit[p.code](p, s, keys[p.part], now, taken[number] * cost)
        free[number] = free[number] - taken[number] * cost
        -- GCRA rounds what it debits; only an answer tells.
        if has_log and p.code == 'g' then free[number] = available.g(p, s, nil, now) end
        touched[p.part] = true
      end
    end
    for number = 1, #parts do
      if touched[number] then write_record(keys[number], number, parts[number], s, policies, now) end
    end
    if has_log then
      filled = filled + 1
      reply[filled] = answer(granted, blocked, cost)
    end
  end
end
return table.concat(reply)
