-- Take back a job that nobody needs any more.
--
-- KEYS 1-14 as in front/jobs.lua
-- ARGV 1 job name   2 the job of the run that wishes this, or ''   3 its token
-- Answers 1 if it was taken back, -1 when the run that wishes it does not hold its job any more: another may need
-- it by now. Guarantees: a job that is held or parked stays.
local name = ARGV[1]
if ARGV[2] ~= '' and not holds(ARGV[2], ARGV[3]) then return -1 end
local job = job_of(name)
if not job or lease_end(name, job) > now_ms() or redis.call('ZSCORE', PARKED, name) then return 0 end
drop(name, job)
return 1
