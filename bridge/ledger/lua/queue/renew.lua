-- Prolong the leases of the jobs that a process is working on.
--
-- KEYS 1-14 as in front/jobs.lua
-- ARGV 1 lease, ms   then job name, token, job name, token ...
-- Answers the names that are no longer held.
local lost = {}
local ends = now_ms() + tonumber(ARGV[1])
for i = 2, #ARGV, 2 do
  local job = holds(ARGV[i], ARGV[i + 1])
  if job then
    redis.call('ZADD', leased(job.lane), ends, ARGV[i])
    redis.call('ZADD', due(job.lane), ends, ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
