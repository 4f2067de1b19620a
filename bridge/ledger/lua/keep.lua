-- Write down what a job is about to do, or has done, in the record of its call.
--
-- KEYS 1-14 as in prelude.lua
--      15   call:<key>   16 log:<key>
-- ARGV 1 job name   2 token   3 retention, s   4 text for the log or ''   then field, value, ... ('' deletes)
-- Answers 1, or 0 when the job is not held any more: then nothing was written, and nothing may be sent.
if not holds(ARGV[1], ARGV[2]) then return 0 end
local now = now_ms()
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[15], ARGV[i])
  else
    redis.call('HSET', KEYS[15], ARGV[i], ARGV[i + 1])
  end
end
redis.call('EXPIRE', KEYS[15], ARGV[3])
if ARGV[4] ~= '' then
  note_down(KEYS[16], now, ARGV[4])
  redis.call('EXPIRE', KEYS[16], ARGV[3])
end
return 1
