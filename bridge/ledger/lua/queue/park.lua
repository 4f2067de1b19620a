-- Give a job up, with the reason, until a person decides.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   log:<key>
-- ARGV 1 job name   2 token   3 cause   4 error text   5 '1': not if something was learnt since it was claimed
-- Answers {parked | again | lost}; again: it is due now. Only the holder can do it. Taken out by replay.lua, and by schedule.lua where
-- something was told since.
local name, now = ARGV[1], now_ms()
local job = holds(name, ARGV[2])
if not job then return {'lost'} end
if ARGV[5] == '1' and job.again_at then
  release(name, job)
  save(name, {lane = job.lane, attempts = 0, deliveries = 0, since = now})
  redis.call('ZADD', due(job.lane), now, name)
  redis.call('PUBLISH', WAKE, job.lane)
  return {'again'}
end
job.token, job.again_at = nil, nil
job.cause, job.error = ARGV[3], ARGV[4]
save(name, job)
release(name, job)
redis.call('ZREM', due(job.lane), name)
redis.call('ZADD', PARKED, now, name)
count_traffic('parked', now)
note_down(KEYS[15], now, 'parked', ARGV[4])
return {'parked'}
