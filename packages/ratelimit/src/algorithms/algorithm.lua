-- The algorithms of src/algorithms, with the same operations in the same order on the same doubles.
-- Input: p, a policy of record.lua; s, the cells of all records that a decision looks at (p.at: the first of the
-- policy's); key, the policy's record, for the cells of a sliding log; now, in µs.
-- A record is a string of little-endian doubles: blocked-until, each policy's cells, then the rings of sliding logs.
local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max
local pack, call = struct.pack, redis.call
local available, debit, credit, wait, reset = {}, {}, {}, {}, {}
