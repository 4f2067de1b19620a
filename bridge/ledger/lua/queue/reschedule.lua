-- Try a job again later.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   log:<key>
-- ARGV 1 job name   2 token   3 ms from now   4 cause   5 error text   6 '1' if this was an attempt that failed
--      7 ms after the first failure at which it is parked instead
-- Answers {waiting | parked | lost}.
--
-- Guarantees: only the holder can do it; a job that has failed for ARGV[7] is parked. Waiting for a slot
-- of a budget or for a lock is no failure and wears nothing out.
local name, now = ARGV[1], now_ms()
local job = holds(name, ARGV[2])
if not job then return {'lost'} end
release(name, job)
job.token, job.deliveries, job.steps, job.again_at = nil, 0, nil, nil
job.open_runs, job.handed_back = nil, nil
job.cause, job.error = ARGV[4], ARGV[5]
if ARGV[6] == '1' then
  job.attempts = job.attempts + 1
  -- Not from the future: the clock may have been set back since.
  job.failing_since = math.min(job.failing_since or now, now)
  note_down(KEYS[15], now, 'failed, to be tried again', ARGV[5])
  if now - job.failing_since >= tonumber(ARGV[7]) then
    save(name, job)
    redis.call('ZREM', due(job.lane), name)
    redis.call('ZADD', PARKED, now, name)
    count_traffic('parked', now)
    note_down(KEYS[15], now, 'parked', ARGV[5])
    return {'parked'}
  end
end
save(name, job)
redis.call('ZADD', due(job.lane), now + tonumber(ARGV[3]), name)
return {'waiting'}
