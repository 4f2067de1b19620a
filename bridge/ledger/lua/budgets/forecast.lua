-- What is used of a service's budget, who waits for it, and until when.
--
-- KEYS 1-17 as in planner.lua
-- ARGV 1-2 as in planner.lua
-- Answers {places used, requests in flight, ms until it opens if closed, places left by what the service told
-- or -1, 1 if others spend from it}, then for each lane {jobs that wait, places they wait for, ms until
-- the last of them has its place}.
settle()
local closed = tonumber(redis.call('GET', CLOSED) or 0)
local flying = redis.call('ZCARD', FLYING)
local told = fact('told_until') > NOW and math.max(0, fact('left')) or -1
local others = NOW - fact('others_at') < WINDOW and 1 or 0
local answer = {{redis.call('ZCARD', REPLIES) + flying, flying, math.max(0, closed - NOW), told, others}}
local before = 0
for lane = 1, LANES do
  local first, past = exact(lane * 1e12), '(' .. exact((lane + 1) * 1e12)
  local places = redis.call('ZCOUNT', PLACES, first, past)
  local wait = 0
  before = before + places
  if places > 0 then wait = earliest(lane, before - 1, 1, true) - NOW end
  answer[lane + 1] = {redis.call('ZCOUNT', BOOKED, first, past), places, wait}
end
return answer
