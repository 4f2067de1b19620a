-- Keep a delivery that cannot be tied to a call.
--
-- KEYS 1 held   hash: fingerprint -> JSON   2 held:at   sorted set: fingerprint -> when it came   3 counts
--      4 received   as learn.lua's
-- ARGV 1 fingerprint   2 JSON   3 retention, ms   4 counter name   5 when it came, ms, or none for now
--      6 how many are kept, the newest, or 0 for all
-- Answers 1 if it is new. Guarantees: kept once for its fingerprint; those past their retention go.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HINCRBY', KEYS[3], ARGV[4], 1)
note_received(KEYS[4], now, ARGV[1], '', 'held')
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[3]), 'LIMIT', 0, 100)
local most = tonumber(ARGV[6]) or 0
if most > 0 and #old == 0 and redis.call('ZCARD', KEYS[2]) >= most then old = redis.call('ZRANGE', KEYS[2], 0, 0) end
for _, fingerprint in ipairs(old) do
  redis.call('HDEL', KEYS[1], fingerprint)
  redis.call('ZREM', KEYS[2], fingerprint)
end
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('ZADD', KEYS[2], math.min(tonumber(ARGV[5]) or now, now), ARGV[1])
return 1
