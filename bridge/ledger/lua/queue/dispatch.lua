-- Hand out due jobs, by priority, to one worker process.
--
-- KEYS 1-14 as in front/jobs.lua
-- ARGV 1 how many the process can take   2 for how long a hand-out counts, ms
--      3 the longest lease there is, ms   4 the longest that any job plans ahead, ms
-- Answers {ms until the next job is due or -1, job name, ms for which it was due, ...}.
--
-- Guarantees: a job is handed to one process at a time; one that was handed out and never claimed is
-- due again after ARGV[2]. Where the clock was set back, no lease lasts longer than ARGV[3] from now, and what
-- is planned for later than ARGV[4] is looked at now.
local room, grace = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_ms()

-- A holder that lives renews in time; fencing takes care of one that does not.
local function end_by(set, lane, latest)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', set(lane), '(' .. latest, '+inf')) do
    redis.call('ZADD', set(lane), latest, name)
    redis.call('ZADD', due(lane), 'XX', 'LT', latest, name)
  end
end

for lane = 1, LANES do
  end_by(leased, lane, now + tonumber(ARGV[3]))
  end_by(handed, lane, now + grace)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', due(lane), '(' .. now + tonumber(ARGV[4]), '+inf')) do
    redis.call('ZADD', due(lane), now, name)
  end
end

local answer, soonest = {-1}, nil
for lane = 1, LANES do
  redis.call('ZREMRANGEBYSCORE', handed(lane), '-inf', now)
  if room > 0 then
    local found = redis.call('ZRANGEBYSCORE', due(lane), '-inf', now, 'WITHSCORES', 'LIMIT', 0, room)
    for i = 1, #found, 2 do
      local name = found[i]
      redis.call('ZADD', due(lane), now + grace, name)
      redis.call('ZADD', handed(lane), now + grace, name)
      answer[#answer + 1] = name
      answer[#answer + 1] = math.max(0, now - tonumber(found[i + 1]))
      room = room - 1
    end
  end
  local first = redis.call('ZRANGEBYSCORE', due(lane), '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if first[2] and (not soonest or tonumber(first[2]) < soonest) then soonest = tonumber(first[2]) end
end
if soonest then answer[1] = math.max(0, soonest - now) end
return answer
