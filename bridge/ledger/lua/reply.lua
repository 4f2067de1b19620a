-- Book the reply to a request that was taken out of the budget.
--
-- KEYS 1-3 as in take.lua   4 counts
-- ARGV 1 name of the request   2 counter name   3 ms for which the service is closed to us, or 0
--      4 window, ms
-- Answers 1. Guarantees: counts once for one request, also when it is booked twice.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[4]) * 2)
redis.call('HINCRBY', KEYS[4], ARGV[2], 1)
local wait = tonumber(ARGV[3])
if wait > 0 then
  local closed = tonumber(redis.call('GET', KEYS[3]) or 0)
  if now + wait > closed then redis.call('SET', KEYS[3], now + wait, 'PX', wait) end
end
return 1
