-- Changes a key's state outside a decision.
-- Input: what to do: credit, debit, block, unblock or reset.
-- KEYS: the record.
-- ARGV: not-after (server µs; 0 = none), kind, amount (units, or µs of a block), the policies (record.lua).
-- Output: { now, 1 }, or { now } when the call came too late and changed nothing.
local not_after = tonumber(ARGV[1])
if not_after > 0 and now > not_after then return { now } end
local kind, amount = ARGV[2], tonumber(ARGV[3])
local policies, format, width, has_log = read_policies(4)
local key = KEYS[1]
if kind == 'reset' then
  redis.call('DEL', key)
  return { now, 1 }
end
local s = read_record(key, format, width, has_log)
if kind == 'block' then
  s[1] = now + amount
elseif kind == 'unblock' then
  s[1] = 0
else
  local change = kind == 'credit' and credit or debit
  for number = 1, #policies do
    local p = policies[number]
    change[p.code](p, s, key, now, amount)
  end
end
write_record(key, s, format, width, has_log, policies, now)
return { now, 1 }
