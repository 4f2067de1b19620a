-- Take one request out of a service's budget, or be told when to come back.
--
-- KEYS 1 budget:<service>:replies   sorted set: when the replies of the last window came
--      2 budget:<service>:flying    sorted set: requests sent and not answered -> when they count as lost
--      3 budget:<service>:closed    until when the service told us to wait
-- ARGV 1 share: requests a window   2 window, ms   3 name of this request   4 ms after which it counts as lost
-- Answers 0, or the milliseconds to wait.
--
-- Guarantees: replies in the last window and requests in flight together never exceed the share, over
-- all processes. The reply's time counts, not the request's: whatever window the service keeps, a
-- request was counted there no later than its reply came.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local share, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local closed = tonumber(redis.call('GET', KEYS[3]) or 0)
if closed > now then return closed - now end
for _, lost in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('ZREM', KEYS[2], lost)
  redis.call('ZADD', KEYS[1], now, lost)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local replies, flying = redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2])
if replies + flying >= share then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  if first[2] then return math.max(10, tonumber(first[2]) + window - now + 1) end
  return 250
end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), ARGV[3])
redis.call('PEXPIRE', KEYS[1], window * 2)
redis.call('PEXPIRE', KEYS[2], math.max(window, tonumber(ARGV[4])) * 2)
return 0
