-- Reads the stamps of entries: which write each of them came from.
-- Input: KEYS entries; ARGV[1] first byte of the stamp, ARGV[2] its last (values/envelope.ts)
-- Output: the stamps, '' for an entry that is missing
local stamps = {}
for i, entry in ipairs(KEYS) do
  stamps[i] = redis.call('GETRANGE', entry, ARGV[1], ARGV[2])
end
return stamps
