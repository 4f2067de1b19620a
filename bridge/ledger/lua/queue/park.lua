-- Give a job up, with the reason, until a person decides.
--
-- KEYS 1-14 as in prelude.lua
--      15   log:<key>
-- ARGV 1 job name   2 token   3 cause   4 error text
-- Answers {parked | lost}. Only the holder can do it. Taken out by replay.lua, and by schedule.lua where
-- something was told since.
local name, now = ARGV[1], now_ms()
local job = holds(name, ARGV[2])
if not job then return {'lost'} end
job.token, job.again_at = nil, nil
job.cause, job.error = ARGV[3], ARGV[4]
save(name, job)
release(name, job)
redis.call('ZREM', due(job.lane), name)
redis.call('ZADD', PARKED, now, name)
count_traffic('parked', now)
note_down(KEYS[15], now, 'parked', ARGV[4])
return {'parked'}
