-- Have a job looked at, at a time or sooner.
--
-- KEYS 1-14 as in prelude.lua
-- ARGV 1 job name   2 lane   3 milliseconds from now
-- Answers the time set, in ms. Guarantees of mark_due: never later than planned before, never two of a name.
local now = now_ms()
mark_due(ARGV[1], tonumber(ARGV[2]), now + tonumber(ARGV[3]), now)
return now + tonumber(ARGV[3])
