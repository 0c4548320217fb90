-- Changes one record's state outside a decision.
-- Input: what to do: credit, debit, block, unblock or reset.
-- KEYS: the record; and, for a change that must happen once, the mark that it has happened.
-- ARGV: not-after (server µs; 0 = none), kind, amount (units, or µs of a block), for each policy 1 if the amount concerns
-- it and else 0 (one string), how long the mark lasts in ms, the plan (record.lua) of one record.
-- Output, as little-endian doubles: now and 1, or now alone when the call came too late and changed nothing.
local not_after = tonumber(ARGV[1])
if not_after > 0 and now > not_after then return pack('<d', now) end
local kind, amount = ARGV[2], tonumber(ARGV[3])
local parts, policies = read_plan(6)
local key, part, s = KEYS[1], parts[1], {}
local done = pack('<dd', now, 1)
if KEYS[2] and not call('SET', KEYS[2], '', 'NX', 'PX', ARGV[5]) then return done end
if kind == 'reset' then
  call('DEL', key)
  return done
end
read_record(key, part, s)
if kind == 'block' then
  s[1] = now + amount
elseif kind == 'unblock' then
  if s[1] > now then s[1] = 0 end
else
  local change = kind == 'credit' and credit or debit
  for number = 1, #policies do
    local p = policies[number]
    if string.sub(ARGV[4], number, number) == '1' then change[p.code](p, s, key, now, amount) end
  end
end
write_record(key, 1, part, s, policies, now)
return done
