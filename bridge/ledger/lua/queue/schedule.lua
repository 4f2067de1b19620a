-- Have a job looked at, at a time or sooner.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   log:<key>
-- ARGV 1 job name   2 lane   3 milliseconds from now
--      4 when news came that a parked job may have missed, ms since 1970, or ''
--      5 the job of the run that wishes this, or ''   6 its token
-- Answers the time set, in ms, or -1 when the run that wishes it does not hold its job any more: what it knew
-- may have been overtaken. Guarantees of mark_due: never later than planned before, never two of a name.
-- A job that was parked before that news is run again by itself; any other parked job stays parked.
local name, now = ARGV[1], now_ms()
if ARGV[5] ~= '' and not holds(ARGV[5], ARGV[6]) then return -1 end
local parked, told = redis.call('ZSCORE', PARKED, name), tonumber(ARGV[4])
if parked and told and tonumber(parked) < told then
  redis.call('ZREM', PARKED, name)
  drop(name, job_of(name))
  note_down(KEYS[15], now, 'run again', 'told anew since it was parked')
end
mark_due(name, tonumber(ARGV[2]), now + tonumber(ARGV[3]), now)
return now + tonumber(ARGV[3])
