-- The algorithms of src/algorithms, with the same operations in the same order on the same doubles.
-- Input: p, a policy { code, shadow, limit, window, capacity, interval, refill, at, log }; s, the header cells of a
-- record (1-based, p.at the first of the policy's); key, the record, for the cells of a sliding log; now, in µs.
-- A record is a string of little-endian doubles: blocked-until, each policy's header, then the rings of sliding logs.
local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max
local headers = { g = 1, f = 2, c = 3, l = 1, t = 2 }
local available, debit, credit, wait, reset = {}, {}, {}, {}, {}
