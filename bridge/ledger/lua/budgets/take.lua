-- Take one request out of a service's budget, or get the time when to come for it.
--
-- KEYS 1-17 as in planner.lua
-- ARGV 1-2 as in planner.lua   3 name of this request   4 ms after which it counts as lost
--      5 who asks: a job's name, or another   6 lane   7 requests that it has sent in this run
--      8 requests that such a run usually sends
--      9 of looks for what may not be there, how many a window may hold if this is one, else 0
--      10 1: take nothing if any service or operation is closed (connections.py)
--      11... replies of this run that are not booked yet, see `book_reply`: booked first, whatever the answer
-- Answers {1, places still kept for the rest of this run}, or {0, ms to wait, why} (see `earliest`; 'looks': too many of
-- those in this window, and nothing was booked; 'gate': something is closed, and nothing was booked).
--
-- Guarantees: replies in the last window and requests in flight together never exceed the share, over all
-- processes. The reply's time counts, not the request's: whatever window the service keeps, a request was
-- counted there no later than its reply came. Asking again under the same name of the request, as an answer
-- got lost, takes nothing more.
local request, name, lane = ARGV[3], ARGV[5], tonumber(ARGV[6])
local sent, usual = tonumber(ARGV[7]), tonumber(ARGV[8])
settle()
book_replies(11)
if ARGV[10] == '1' and redis.call('EXISTS', (string.gsub(KEYS[8], 'due:.*$', 'connections'))) == 1 then
  return {0, 0, 'gate'}
end
local place = tonumber(redis.call('ZSCORE', BOOKED, name) or 0)
if redis.call('ZSCORE', FLYING, request) then return {1, place > 0 and places_of(place) or 0} end
note('seen:' .. lane, NOW)
local limit = limit_of(lane)
-- Looks that found something were taken out again (budget.py): what is left here was in vain, or is under way.
local LOOKS, most_looks = string.gsub(REPLIES, 'replies$', 'looks'), tonumber(ARGV[9]) or 0
if most_looks > 0 then
  redis.call('ZREMRANGEBYSCORE', LOOKS, '-inf', NOW - WINDOW)
  if redis.call('ZCARD', LOOKS) >= most_looks then
    local first = redis.call('ZRANGE', LOOKS, 0, 0, 'WITHSCORES')[2]
    return {0, math.ceil(first + WINDOW - NOW) + 1, 'looks'}
  end
end
local booked = place > 0 and lane_of(place) == lane and places_of(place) or 0
-- A run that waited begins once all its places are free; one that sent something is under way.
local wanted = sent == 0 and booked or 1
wanted = math.max(1, math.min(wanted, limit))
if booked == 0 or (sent > 0 and not is_under_way(place)) then place = order(lane, sent > 0) end
local begins = not is_under_way(place)

local at, why = earliest(lane, places_before(place), wanted, begins)
if at > NOW then
  -- A run that is cut short begins anew, and may send its first requests once more: it is given places for
  -- all of them together, or it would never come further.
  wanted = sent > 0 and math.max(booked, sent + 1) or math.max(booked, usual)
  wanted = math.max(1, math.min(wanted, limit))
  local together, because = earliest(lane, places_before(place), wanted, begins)
  if together > at then at, why = together, because end
  book(name, place, wanted, at)
  call_forward()
  return {0, at - NOW, why}
end

cancel(name)
local left = math.max(0, booked - 1)
if left > 0 then book(name, begins and order(lane, true) or place, left, NOW) end
redis.call('ZADD', FLYING, NOW + tonumber(ARGV[4]), request)
if most_looks > 0 then
  redis.call('ZADD', LOOKS, NOW, request)
  redis.call('PEXPIRE', LOOKS, WINDOW * 2)
end
note('paced', math.max(fact('paced'), NOW) + spacing())
if fact('told_until') > NOW then note('left', fact('left') - 1) end
redis.call('PEXPIRE', REPLIES, WINDOW * 2)
redis.call('PEXPIRE', FLYING, math.max(WINDOW, tonumber(ARGV[4])) * 2)
call_forward()
return {1, left}
