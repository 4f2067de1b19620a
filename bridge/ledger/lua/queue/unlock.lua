-- Give a lock back, if it is still ours.
-- KEYS 1 lock:<name>   ARGV 1 value as lock.lua set it   Answers 1 if it was.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
