-- Decides requests against all policies of a limiter at once; decide.ts mirrored, for many keys in one call.
-- Input: one record a key; equal requests of one key come as one entry with a count.
-- KEYS: the record of each entry (on Cluster: all of one slot, so one key a call).
-- ARGV: not-after (server µs; 0 = none), the policies (record.lua), then for each entry: cost, count.
-- Output: { now } when the call came too late and changed nothing, else { now, then for each entry: granted,
-- blocked µs, and for each policy: available, wait µs, next µs, reset µs, requests debited }. Times are rounded up.
local not_after = tonumber(ARGV[1])
if not_after > 0 and now > not_after then return { now } end
local policies, format, width, has_log, first = read_policies(2)
local reply = { now }
local filled = 1
for index = 1, #KEYS do
  local key = KEYS[index]
  local cost = tonumber(ARGV[first + (index - 1) * 2])
  local count = tonumber(ARGV[first + (index - 1) * 2 + 1])
  local s = read_record(key, format, width, has_log)
  local blocked = max(s[1] - now, 0)
  local granted = count
  if blocked > 0 then granted = 0 end
  local free, taken = {}, {}
  for number = 1, #policies do
    local p = policies[number]
    local units = available[p.code](p, s, key, now)
    free[number] = units
    if units < granted * cost and not p.shadow then granted = floor(units / cost) end
  end
  local changed = false
  for number = 1, #policies do
    local p = policies[number]
    taken[number] = min(granted, floor(free[number] / cost))
    if taken[number] > 0 then
      debit[p.code](p, s, key, now, taken[number] * cost)
      free[number] = free[number] - taken[number] * cost
      changed = true
    end
  end
  if changed then write_record(key, s, format, width, has_log, policies, now) end
  reply[filled + 1] = granted
  reply[filled + 2] = ceil(blocked)
  filled = filled + 2
  for number = 1, #policies do
    local p = policies[number]
    local units = free[number]
    reply[filled + 1] = units
    reply[filled + 2] = 0
    reply[filled + 3] = 0
    if units < cost then reply[filled + 2] = ceil(wait[p.code](p, s, key, now, cost)) end
    if units < p.capacity then reply[filled + 3] = ceil(wait[p.code](p, s, key, now, units + 1)) end
    reply[filled + 4] = ceil(reset[p.code](p, s, key, now))
    reply[filled + 5] = taken[number]
    filled = filled + 5
  end
end
return reply
