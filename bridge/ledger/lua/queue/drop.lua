-- Drop a parked job: a person decided that it is not to be done.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   call:<key>   16 log:<key>   17 trail
-- ARGV 1 job name   2 who and why, for the log   3 the same for the call, where it is not written without this job, or ''
--      4 line of the trail   5 how many lines it keeps   6 retention, s
-- Answers 1, or 0 if it is not parked (any more). What is learnt of the call later makes a new job of it.
--
-- Guarantees: all of it or nothing, so that nothing is dropped without a line that says by whom. A call that is in
-- Kustomer stays `synced`; any other waits for nothing from now on, which its next sync overrules.
local name, now = ARGV[1], now_ms()
if redis.call('ZREM', PARKED, name) == 0 then return 0 end
drop(name)
note_down(KEYS[16], now, 'dropped', ARGV[2])
if ARGV[3] ~= '' then
  if redis.call('HGET', KEYS[15], FIELD.STATE) ~= STATE.SYNCED then redis.call('HSET', KEYS[15], FIELD.STATE, STATE.DROPPED) end
  redis.call('HSET', KEYS[15], FIELD.REASON, ARGV[3])
  redis.call('EXPIRE', KEYS[15], ARGV[6])
  changes_in_lists(KEYS[15])
end
redis.call('LPUSH', KEYS[17], ARGV[4])
redis.call('LTRIM', KEYS[17], 0, ARGV[5] - 1)
redis.call('EXPIRE', KEYS[17], ARGV[6])
return 1
