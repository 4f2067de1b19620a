-- Let a job wait for a connection that is down, and see to it that the connection is looked at.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   log:<key>   16 paused:<service>   sorted set: jobs that wait, by lane   17 connections   hash
-- ARGV 1 job name   2 token   3 service   4 why   5 name of the job that looks at the connection
--      6 ms until that   7 ms after which the job tries by itself
-- Answers {paused | waiting | lost}.
--
-- Guarantees: only the holder can do it. A connection that is down is no failure of the job, and an earlier one
-- no reason to give up after it: neither attempts nor the time of failing go on. Where the connection came back
-- meanwhile, the job is not left waiting for a wake-up that is over.
local name, now = ARGV[1], now_ms()
local job = holds(name, ARGV[2])
if not job then return {'lost'} end
release(name, job)
job.token, job.deliveries, job.steps, job.again_at = nil, 0, nil, nil
job.open_runs, job.handed_back = nil, nil
job.attempts, job.failing_since = 0, nil
job.cause, job.error = 'Disconnected', ARGV[4]
save(name, job)
local look = ARGV[5]
if redis.call('HEXISTS', KEYS[17], ARGV[3]) == 0 then
  redis.call('ZADD', due(job.lane), now + tonumber(ARGV[6]), name)
  return {'waiting'}
end
redis.call('ZADD', due(job.lane), now + tonumber(ARGV[7]), name)
if redis.call('ZADD', KEYS[16], job.lane, name) == 1 then
  note_down(KEYS[15], now, 'waits for a connection', ARGV[4])
end
-- Given up, should its workers have died: here is somebody who needs it.
if redis.call('ZREM', PARKED, look) == 1 then drop(look) end
mark_due(look, 1, now + tonumber(ARGV[6]), now)
return {'paused'}
