-- Run a job again by hand: parked or not, or only if it still is parked.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   call:<key>   16 log:<key>
-- ARGV 1 job name   2 lane   3 who asked   4 '1': only if it is parked
-- Answers {queued}; or {gone}, and nothing is changed: it is not parked (any more), so somebody may have dropped it
-- since it was chosen. The sync that follows looks before it writes: what is on record may be out of date.
local name, now = ARGV[1], now_ms()
if redis.call('ZREM', PARKED, name) == 0 and ARGV[4] == '1' then return {'gone'} end
local job = job_of(name)
if job and lease_end(name, job) <= now then drop(name, job) end
redis.call('HSET', KEYS[15], FIELD.VERIFY, 1)
note_down(KEYS[16], now, 'run again', ARGV[3])
mark_due(name, tonumber(ARGV[2]), now, now)
return {'queued'}
