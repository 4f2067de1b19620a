-- Tell a contact whose customer it is, as a job found out, and have it looked at.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   call:<key>   16 log:<key>   of the contact   17 contacts   as in hold_contact.lua
--      18   meta   19 forgotten   as in forget.lua
-- ARGV 1 name of the job that tells it   2 token   3 key of the contact   4 retention, s
--      5 FIELD.SETTLED of a contact to which nothing is left to write, or '': it is not looked at
--      6 name of its job   7 lane   8 ms until then   then field, value, ...: each is written only where the record
--      has none, except for the first pair
-- Answers 1; 0 when the telling job is not held any more, 2 where the contact was forgotten: nothing was written.
--
-- Guarantees: a contact that has all it can get of this customer is not looked at again.
if not holds(ARGV[1], ARGV[2]) then return 0 end
local now, key = now_ms(), ARGV[3]
local secret = redis.call('HGET', KEYS[18], 'forget_secret')
if secret and redis.call('ZSCORE', KEYS[19], forgotten_mark(secret, key)) then return 2 end
redis.call('HSET', KEYS[15], ARGV[9], ARGV[10])
for i = 11, #ARGV, 2 do redis.call('HSETNX', KEYS[15], ARGV[i], ARGV[i + 1]) end
redis.call('HSETNX', KEYS[15], FIELD.FIRST_AT, now)
redis.call('HSET', KEYS[15], FIELD.LAST_AT, now)
redis.call('ZADD', KEYS[17], now, key)
redis.call('EXPIRE', KEYS[15], ARGV[4])
if ARGV[5] ~= '' and redis.call('HGET', KEYS[15], FIELD.SETTLED) ~= ARGV[5] then
  mark_due(ARGV[6], tonumber(ARGV[7]), now + tonumber(ARGV[8]), now)
end
return 1
