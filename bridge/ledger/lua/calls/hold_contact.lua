-- Keep the news of a contact, and have the contact looked at.
--
-- KEYS 1-14 as in front/jobs.lua
--      15 other   hash: fingerprint -> JSON   16 other:at   sorted set: fingerprint -> when it came   17 counts
--      18 received   as learn.lua's   19 call:<key>   20 log:<key>   of the contact
--      21 contacts   sorted set: keys of contacts -> last news   22 meta   23 forgotten   as in forget.lua
-- ARGV 1 fingerprint   2 JSON   3 retention of the delivery, ms   4 counter prefix   5 when it came, ms, or none for now
--      6 how many deliveries are kept, the newest   7 key of the contact   8 name of its job   9 lane
--      10 ms until it is looked at   11 '1': a repeat is news   12 retention of the rest, s   13 trigger
--      14 '': nothing is looked at for it
-- Answers accepted, duplicate, or forgotten: then nothing is kept.
--
-- Guarantees: delivery and job are written together. However many deliveries come within the wait, the contact is
-- looked at once.
local now, key = now_ms(), ARGV[7]
local secret = redis.call('HGET', KEYS[22], 'forget_secret')
if secret and redis.call('ZSCORE', KEYS[23], forgotten_mark(secret, key)) then
  redis.call('HINCRBY', KEYS[17], ARGV[4] .. 'forgotten', 1)
  return 'forgotten'
end
local came = math.min(tonumber(ARGV[5]) or now, now)
local old = redis.call('ZRANGEBYSCORE', KEYS[16], '-inf', now - tonumber(ARGV[3]), 'LIMIT', 0, 100)
if #old == 0 and redis.call('ZCARD', KEYS[16]) >= tonumber(ARGV[6]) then old = redis.call('ZRANGE', KEYS[16], 0, 0) end
for _, fingerprint in ipairs(old) do
  redis.call('HDEL', KEYS[15], fingerprint)
  redis.call('ZREM', KEYS[16], fingerprint)
end
local is_new = redis.call('HSETNX', KEYS[15], ARGV[1], ARGV[2]) == 1
local answer = (is_new or ARGV[11] == '1') and 'accepted' or 'duplicate'
redis.call('HINCRBY', KEYS[17], ARGV[4] .. answer, 1)
note_received(KEYS[18], now, ARGV[1], '', answer)
if answer == 'duplicate' then return answer end
redis.call('ZADD', KEYS[16], came, ARGV[1])
redis.call('HSETNX', KEYS[19], FIELD.FIRST_AT, came)
redis.call('HSET', KEYS[19], FIELD.LAST_AT, now)
-- Of a burst, the first one.
if ARGV[14] == '' or not job_of(ARGV[8]) then note_down(KEYS[20], now, ARGV[13]) end
if ARGV[14] ~= '' then
  redis.call('HSET', KEYS[19], FIELD.HEARD, now)
  mark_due(ARGV[8], tonumber(ARGV[9]), now + tonumber(ARGV[10]), now)
end
redis.call('ZADD', KEYS[21], now, key)
redis.call('EXPIRE', KEYS[19], ARGV[12])
redis.call('EXPIRE', KEYS[20], ARGV[12])
return answer
