-- Make jobs due that waited for a connection, best lane first.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   paused:<service>   16 connections   hash
-- ARGV 1 service   2 how many at the most
-- Answers how many were taken off the list; 0: there are none, or the connection is down again.
--
-- Guarantees: a job is taken off and made due in one; one that waits for something else by now is left alone.
if redis.call('HEXISTS', KEYS[16], ARGV[1]) == 1 then return 0 end
local now = now_ms()
local found = redis.call('ZPOPMIN', KEYS[15], ARGV[2])
for i = 1, #found, 2 do
  local name = found[i]
  local job = job_of(name)
  if job and job.cause == 'Disconnected' and lease_end(name, job) <= now then
    redis.call('ZADD', due(job.lane), 'XX', 'LT', now, name)
  end
end
if #found > 0 then redis.call('PUBLISH', WAKE, 1) end
return #found / 2
