-- Give a job up by hand: nobody is to try it again until a person decides.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   log:<key>   16 trail
-- ARGV 1 job name   2 error text   3 line of the trail   4 how many lines it keeps   5 retention, s
-- Answers {parked | running | gone}: only a job that is planned, and that no worker holds, can be given up.
--
-- Guarantees: all of it or nothing, so that nothing is given up without a line that says by whom. Taken out again
-- as any parked job.
local name, now = ARGV[1], now_ms()
local job = job_of(name)
if not job or redis.call('ZSCORE', PARKED, name) then return {'gone'} end
if lease_end(name, job) > now then return {'running'} end
-- A worker may be about to claim it: it finds it parked.
release(name, job)
job.token, job.again_at = nil, nil
job.cause, job.error = 'by hand', ARGV[2]
save(name, job)
redis.call('ZREM', due(job.lane), name)
redis.call('ZADD', PARKED, now, name)
note_down(KEYS[15], now, 'parked', ARGV[2])
redis.call('LPUSH', KEYS[16], ARGV[3])
redis.call('LTRIM', KEYS[16], 0, ARGV[4] - 1)
redis.call('EXPIRE', KEYS[16], ARGV[5])
return {'parked'}
