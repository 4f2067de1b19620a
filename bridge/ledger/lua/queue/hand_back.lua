-- Let go of jobs whose runs had no end, for a worker that lives: they did not kill it.
--
-- KEYS 1-14 as in front/jobs.lua
-- ARGV 1 ms until those that it still holds are due again, or -1: when their leases end
--      2 how often a job may be handed back before such a run counts all the same   then job name, token, ...
-- Answers how many it still held.
--
-- Guarantees: the delivery is no longer counted, once a run, also where another worker has the job by now. Whoever
-- held the job writes nothing more. A job that breaks Redis or its worker's connections each time is given up in the end.
local function has(job, token)
  return job.token == token or string.find(job.open_runs or '', token, 1, true)
end

local ends_in, most, held = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
local now = now_ms()
for i = 3, #ARGV, 2 do
  local name, token = ARGV[i], ARGV[i + 1]
  local job = job_of(name)
  if job and has(job, token) then
    local counts = (job.handed_back or 0) >= most
    if job.token == token then
      held = held + 1
      if counts then leave_open(job) else job.token = nil end
      if ends_in >= 0 then
        redis.call('ZADD', leased(job.lane), now + ends_in, name)
        redis.call('ZADD', due(job.lane), now + ends_in, name)
      end
    elseif not counts then
      job.open_runs = string.gsub(job.open_runs, token .. ' ', '')
    end
    if not counts then
      job.deliveries, job.handed_back = math.max(0, job.deliveries - 1), (job.handed_back or 0) + 1
    end
    save(name, job)
  end
end
return held
