-- Keep which customer a person chose for a call, and for the calls of its number; run its sync.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   call:<key>   16 log:<key>   17 trail   18 assigned: number -> customer   19 assigned:at: number -> last used, ms
-- ARGV 1 job name   2 lane   3 customer   4 the number, or '' to keep none   5 the most numbers kept   6 who
--      7 line for the trail   8 most lines of it   9 retention, s
-- Answers 1, or 0: there is no such call (any more), and nothing was kept.
--
-- Guarantees: all of it or nothing. A sync that was parked is due again; one that runs now runs once more. Of more
-- numbers than may be kept those go that were not used for the longest time.
if redis.call('EXISTS', KEYS[15]) == 0 then return 0 end
local name, now = ARGV[1], now_ms()
redis.call('HSET', KEYS[15], FIELD.ASSIGNED, ARGV[3])
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[18], ARGV[4], ARGV[3])
  redis.call('ZADD', KEYS[19], now, ARGV[4])
  local beyond = redis.call('ZCARD', KEYS[19]) - tonumber(ARGV[5])
  for _, old in ipairs(beyond > 0 and redis.call('ZRANGE', KEYS[19], 0, beyond - 1) or {}) do
    redis.call('ZREM', KEYS[19], old)
    redis.call('HDEL', KEYS[18], old)
  end
end
redis.call('LPUSH', KEYS[17], ARGV[7])
redis.call('LTRIM', KEYS[17], 0, ARGV[8] - 1)
redis.call('EXPIRE', KEYS[17], ARGV[9])
local job = job_of(name)
redis.call('ZREM', PARKED, name)
if job and lease_end(name, job) <= now then drop(name, job) end
note_down(KEYS[16], now, 'assigned to a customer', ARGV[3] .. ' by ' .. ARGV[6])
mark_due(name, tonumber(ARGV[2]), now, now)
return 1
