-- Take back a job that nobody needs any more.
--
-- KEYS 1-14 as in prelude.lua
-- ARGV 1 job name
-- Answers 1 if it was taken back. Guarantees: a job that is held or parked stays.
local name = ARGV[1]
local job = job_of(name)
if not job or lease_end(name, job) > now_ms() or redis.call('ZSCORE', PARKED, name) then return 0 end
drop(name, job)
return 1
