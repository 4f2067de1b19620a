-- Run a job again by hand, parked or not.
--
-- KEYS 1-14 as in prelude.lua
--      15   call:<key>   16 log:<key>
-- ARGV 1 job name   2 lane   3 who asked
-- Answers {queued}. The sync that follows looks before it writes: what is on record may be out of date.
local name, now = ARGV[1], now_ms()
redis.call('ZREM', PARKED, name)
local job = job_of(name)
if job and lease_end(name, job) <= now then drop(name, job) end
redis.call('HSET', KEYS[15], 'look', 1)
note_down(KEYS[16], now, 'run again', ARGV[3])
mark_due(name, tonumber(ARGV[2]), now, now)
return {'queued'}
