-- Book the reply to a request that was taken out of the budget.
--
-- KEYS 1-15 as in planner.lua   16 counts   17 measures
-- ARGV 1-2 as in planner.lua   3 name of the request   4 counter name, or ''
--      5 ms for which the service is closed to us, or 0
--      6 their limit, 7 what is left of it, 8 ms until their window ends; each -1 where they did not tell
--      9, 10 fields of measures, or ''   11 how long it took, ms
-- Answers 1. Guarantees: takes one place for one request, also when it is booked twice.
local request, closed_for = ARGV[3], tonumber(ARGV[5])
local limit, remaining, reset = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
settle()
redis.call('ZREM', FLYING, request)
redis.call('ZADD', REPLIES, NOW, request)
redis.call('PEXPIRE', REPLIES, WINDOW * 2)
if ARGV[4] ~= '' then redis.call('HINCRBY', KEYS[16], ARGV[4], 1) end
if ARGV[9] ~= '' then
  redis.call('HINCRBY', KEYS[17], ARGV[9], 1)
  redis.call('HINCRBY', KEYS[17], ARGV[10], ARGV[11])
end
if remaining >= 0 then
  local flying = redis.call('ZCARD', FLYING)
  -- More is gone than we sent, and what we sent is counted here at least as long as there: others spend.
  local others = limit - remaining > redis.call('ZCARD', REPLIES) + flying
  if others then note('others_at', NOW) end
  if others or limit < SHARE or NOW - fact('others_at') < WINDOW then
    -- Those in flight may be counted there already, or not.
    local left = remaining - flying
    local ends = reset >= 0 and NOW + reset or 0
    if fact('told_until') > NOW and math.abs(fact('told_reset') - ends) < WINDOW / 30 then
      -- Told of the same window, and replies overtake each other: the smaller number is the later one.
      left = math.min(left, fact('left'))
    end
    note('left', left)
    note('told_reset', ends)
    note('told_until', NOW + (reset >= 0 and math.min(reset, WINDOW / 4) or GRACE))
  else
    -- What is gone is ours, and the log of replies knows better than a rounded reset time when it comes back.
    closed_for = 0
  end
end
if closed_for > 0 then
  local closed = tonumber(redis.call('GET', CLOSED) or 0)
  if NOW + closed_for > closed then redis.call('SET', CLOSED, NOW + closed_for, 'PX', closed_for) end
end
call_forward()
return 1
