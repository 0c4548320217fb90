-- Output: now, whole microseconds of this Redis server above the origin that clock.ts names (from 2026-01-01).
local time = redis.call('TIME')
local now = (tonumber(time[1]) - 1767225600) * 1000000 + tonumber(time[2]) + 281474976710656
