-- Lock something for as long as a job is held.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   lock:<name>
-- ARGV 1 job name   2 token   3 ms after which it is forgotten anyhow
-- Answers 1, or 0 while another job has it.
--
-- Guarantees: one holder at a time. The lock of a job whose lease ended is nobody's, so that a killed
-- worker keeps others waiting for one lease and no longer. Should that worker only have been stopped, it cannot
-- renew its lease once its lock is another's.
local kept = redis.call('GET', KEYS[15])
if kept then
  local name, token = string.match(kept, '^(.*) (%S+)$')
  local job = name and holds(name, token)
  if job and not (name == ARGV[1] and token == ARGV[2]) then
    if lease_end(name, job) > now_ms() then return 0 end
    leave_open(job)
    save(name, job)
  end
end
redis.call('SET', KEYS[15], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
