-- Remove what is kept of a call, and remember that it is not to come back.
--
-- KEYS 1-14 as in front/jobs.lua
--      15 meta   16 forgotten   sorted set: mark -> since when, ms since 1970
-- ARGV 1 uuid or ''   2 number or ''   3 what a key for the marks is made of, should there be none yet
-- Answers 1. Guarantees: all of it or nothing; a job that runs for the call loses its hold, so that what it
-- was about to write down is refused; learn.lua keeps nothing more of this call, under no id of its, also one
-- that is learnt later. Nothing that is left names the call, or anybody.
redis.call('HSETNX', KEYS[15], 'forget_secret', ARGV[3])
erase(ARGV[1], ARGV[2], KEYS[16], redis.call('HGET', KEYS[15], 'forget_secret'), now_ms())
return 1
