-- Remove what is kept of a text message, and remember that it is not to come back.
--
-- KEYS 1-14 as in front/jobs.lua
--      15 meta   16 forgotten   as in forget.lua   17 messages   18 received
-- ARGV 1 key of the message   2 the customer's number in E.164, or ''   3 what a key for the marks is made of
--      4... fingerprints of its deliveries
-- Answers 1. Guarantees: all of it or nothing; a job that runs for it loses its hold.
local key, number = ARGV[1], ARGV[2]
local base, now = ROOT, now_ms()
redis.call('HSETNX', KEYS[15], 'forget_secret', ARGV[3])
local secret = redis.call('HGET', KEYS[15], 'forget_secret')
erase_job(base, all_scopes(base), 'message|' .. key)
erase_job(base, all_scopes(base), 'sms|' .. key)
redis.call('ZREM', KEYS[17], key)
if number ~= '' then
  redis.call('ZREM', base .. 'messages:waiting:' .. number, key)
  redis.call('DEL', base .. 'messages:lately:' .. number)
end
redis.call('ZADD', KEYS[16], 'NX', now, forgotten_mark(secret, key))
for n = 4, #ARGV do
  redis.call('DEL', base .. 'messages:alias:' .. ARGV[n])
  redis.call('ZADD', KEYS[16], 'NX', now, forgotten_mark(secret, 'message:' .. ARGV[n]))
end
for _, text in ipairs(redis.call('LRANGE', KEYS[18], 0, -1)) do
  if cjson.decode(text)[3] == key then redis.call('LREM', KEYS[18], 0, text) end
end
for _, what in ipairs({'call:', 'events:', 'log:'}) do redis.call('DEL', base .. what .. key) end
return 1
