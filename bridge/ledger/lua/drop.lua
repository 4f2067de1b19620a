-- Drop a parked job: a person decided that it is not to be done.
--
-- KEYS 1-14 as in prelude.lua
--      15   log:<key>
-- ARGV 1 job name   2 who and why
-- Answers 1, or 0 if it is not parked (any more). What is learnt of the call later makes a new job of it.
local name = ARGV[1]
if redis.call('ZREM', PARKED, name) == 0 then return 0 end
drop(name)
note_down(KEYS[15], now_ms(), 'dropped', ARGV[2])
return 1
