-- Prepended to the scripts of a service's budget: what of it is used, who waits, when its places come free.
--
-- KEYS 1     budget:<service>:replies   sorted set: when the replies of the last window came
--      2     budget:<service>:flying    sorted set: requests sent and not answered -> when they count as lost
--      3     budget:<service>:closed    until when the service told us to wait
--      4     budget:<service>:booked    sorted set: who waits (job name) -> its place in the order, see `order`
--      5     budget:<service>:places    sorted set: one member for each place waited for, scored as its booking
--      6     budget:<service>:slots     sorted set: who waits -> when its slot is
--      7     budget:<service>:plan      hash: paced, seen:<lane>, left, told_until, told_reset, others_at, number
--      8-11  due:<lane>   12-15  leased:<lane>   as in front/jobs.lua
--      16-17 counts, measures: for `book_replies`
-- ARGV 1 share: requests a window   2 window, ms
-- Times are ms of the server's own clock; no process's clock is trusted.
--
-- A place is used from the moment a request is sent until one window after its reply came, so it is known
-- when each comes free. Those who wait are in one strict order: lane, then jobs already under way, then
-- arrival. The n-th of them has its slot when the n-th place comes free, and nobody overtakes. Better
-- lanes that arrive later move the rest back; places that come free unforeseen bring them forward: the first
-- of those who wait are always set right (`call_forward`), anyone else who comes too early gets a new slot.

local REPLIES, FLYING, CLOSED, BOOKED, PLACES, SLOTS, PLAN = unpack(KEYS, 1, 7)
local SHARE, WINDOW = tonumber(ARGV[1]), tonumber(ARGV[2])
local LANES, LIVE, RECORDING = 4, 1, 2
local SPACING = WINDOW / SHARE
-- How late a job may come to its slot, and how much of a window a worse lane may use at once.
local GRACE = WINDOW / 20
-- Kept free for better lanes, if any was seen in so many windows. With it worse lanes use 96 % of the share;
-- without it, when they are alone, all of it.
local KEPT, REMEMBERED = math.floor(SHARE / 25), 10
-- Kept free for others who spend from the same budget, once they were seen.
local FOR_OTHERS = math.max(1, math.floor(SHARE / 30))
-- For the way there and back, which is part of the time that a place is used, where it is not known yet.
local ON_THE_WAY = WINDOW / 60
-- How many of those who wait are set right each time.
local SET_RIGHT = 4
local WAKE = string.gsub(KEYS[8], 'due:.*$', 'wake')

local t = redis.call('TIME')
local NOW = t[1] * 1000 + math.floor(t[2] / 1000)

local function fact(name) return tonumber(redis.call('HGET', PLAN, name) or 0) end
local function note(name, value) redis.call('HSET', PLAN, name, string.format('%.3f', value)) end
local function exact(number) return string.format('%.0f', number) end

-- Where somebody stands among those who wait: smaller is earlier, and no two are equal.
local function order(lane, under_way)
  return lane * 1e12 + (under_way and 0 or 5e11) + redis.call('HINCRBY', PLAN, 'number', 1)
end
local function lane_of(place) return math.floor(place / 1e12) end
local function is_under_way(place) return place % 1e12 < 5e11 end

local function cancel(name)
  local place = redis.call('ZSCORE', BOOKED, name)
  if not place then return end
  redis.call('ZREMRANGEBYSCORE', PLACES, exact(place), exact(place))
  redis.call('ZREM', BOOKED, name)
  redis.call('ZREM', SLOTS, name)
end

local function book(name, place, wanted, slot)
  cancel(name)
  redis.call('ZADD', BOOKED, exact(place), name)
  for i = 1, wanted do redis.call('ZADD', PLACES, exact(place), exact(place) .. ':' .. i) end
  redis.call('ZADD', SLOTS, slot, name)
end

local function places_of(place) return redis.call('ZCOUNT', PLACES, exact(place), exact(place)) end
local function places_before(place) return redis.call('ZCOUNT', PLACES, '-inf', '(' .. exact(place)) end

-- Forget what no longer counts. A request that got no reply counts as one that got it now; who did not come
-- to its slot loses it.
local function settle()
  for _, lost in ipairs(redis.call('ZRANGEBYSCORE', FLYING, '-inf', NOW)) do
    redis.call('ZREM', FLYING, lost)
    redis.call('ZADD', REPLIES, NOW, lost)
  end
  -- Times are whole ms, rounded down: one more ms makes the window a full one.
  redis.call('ZREMRANGEBYSCORE', REPLIES, '-inf', '(' .. NOW - WINDOW)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', SLOTS, '-inf', '(' .. NOW - GRACE)) do cancel(name) end
end

-- What a lane may use of the share. See KEPT.
local function limit_of(lane)
  for better = 1, lane - 1 do
    if NOW - fact('seen:' .. better) < REMEMBERED * WINDOW then return SHARE - KEPT end
  end
  return SHARE
end

-- When so many places are free at once, after those that others before us take.
local function free_at(limit, before, wanted)
  local rounds = math.floor((before + wanted - 1) / limit)
  local replies = redis.call('ZCARD', REPLIES)
  local nth = replies + redis.call('ZCARD', FLYING) + before + wanted - rounds * limit - limit
  local at = NOW
  if nth > 0 then
    local reply = redis.call('ZRANGE', REPLIES, nth - 1, nth - 1, 'WITHSCORES')[2]
    at = (reply or NOW + ON_THE_WAY) + WINDOW + 1
  end
  return at + rounds * (WINDOW + ON_THE_WAY)
end

-- When the pace lets a run begin. Live calls go at once. The others are spread over the window: places that
-- are used together come free together, and a live call that finds none would wait for that time.
local function paced_at(lane, before)
  if lane == LIVE then return NOW end
  local at_once = lane == RECORDING and WINDOW / 4 or GRACE
  return fact('paced') - at_once + before * SPACING
end

-- When what the service told leaves room. What it told grows old (see reply.lua); if others were seen to
-- spend, one request is then sent alone, whose reply tells anew: at worst one 429 until their reset time.
local function told_at(before, wanted)
  local others = NOW - fact('others_at') < WINDOW
  local told_until = fact('told_until')
  if told_until > NOW then
    local room = fact('left') - (others and FOR_OTHERS or 0)
    return before + wanted <= room and NOW or told_until + before * SPACING
  end
  if others and (before > 0 or redis.call('ZCARD', FLYING) > 0) then return NOW + (before + 1) * SPACING end
  return NOW
end

-- The earliest time at which somebody may send, and what is last in the way: 'closed' (the service told us to
-- wait), 'paced', 'spent' (our share), 'others' (they leave too little). `begins`: it is not under way yet.
local function earliest(lane, before, wanted, begins)
  local at, why = NOW, ''
  local function not_before(time, what)
    if time > at then at, why = time, what end
  end
  local closed = tonumber(redis.call('GET', CLOSED) or 0)
  if closed > NOW then not_before(closed + before * SPACING, 'closed') end
  not_before(free_at(limit_of(lane), before, wanted), 'spent')
  not_before(told_at(before, wanted), 'others')
  if begins then not_before(paced_at(lane, before), 'paced') end
  return math.ceil(at), why
end

-- Set the first of those who wait right: what was foretold long ago is a little off by now. A job's due
-- time is its slot, so it can be moved; one that is no job comes at its slot. Jobs that are no more lose
-- their booking. To be called last: it sees what the script did.
local function call_forward()
  local before, coming = 0, 0
  while coming < SET_RIGHT do
    local first = redis.call('ZRANGE', PLACES, before, before, 'WITHSCORES')[2]
    if not first then return end
    local name = redis.call('ZRANGEBYSCORE', BOOKED, exact(first), exact(first))[1]
    local lane, wanted = lane_of(first), places_of(first)
    local is_job = string.find(name, '|', 1, true)
    local due = is_job and tonumber(redis.call('ZSCORE', KEYS[7 + lane], name) or 0)
    if due == 0 then
      cancel(name)
    else
      local at = earliest(lane, before, math.min(wanted, limit_of(lane)), not is_under_way(first))
      local leased = tonumber(redis.call('ZSCORE', KEYS[11 + lane], name) or 0)
      -- Due at another time it waits for something else, such as another service: that is not ours to move.
      local late = due and due - tonumber(redis.call('ZSCORE', SLOTS, name))
      if due and due > NOW and leased <= NOW and late >= 0 and late <= GRACE then
        redis.call('ZADD', KEYS[7 + lane], at, name)
        redis.call('ZADD', SLOTS, at, name)
        if at <= NOW then redis.call('PUBLISH', WAKE, lane) end
      end
      before = before + wanted
      if at > NOW then coming = coming + 1 end
    end
  end
end

-- Book one reply to a request that was taken: it takes one place for one request, also when it is booked twice.
--
-- ARGV from  name of the request   +1 ms since the reply came   +2 counter name, or ''
--      +3 ms for which the service is closed to us, or 0
--      +4 their limit, +5 what is left of it, +6 ms until their window ends; each -1 where they did not tell
--      +7, +8 fields of measures, or ''   +9 how long it took, ms
local REPLY_LENGTH = 10
local function book_reply(from)
  local request, came_at, counter, closed_for = ARGV[from], NOW - ARGV[from + 1], ARGV[from + 2], tonumber(ARGV[from + 3])
  local limit, remaining, reset = tonumber(ARGV[from + 4]), tonumber(ARGV[from + 5]), tonumber(ARGV[from + 6])
  local bucket, sum, took = ARGV[from + 7], ARGV[from + 8], ARGV[from + 9]
  redis.call('ZREM', FLYING, request)
  redis.call('ZADD', REPLIES, came_at, request)
  redis.call('PEXPIRE', REPLIES, WINDOW * 2)
  if counter ~= '' then redis.call('HINCRBY', KEYS[16], counter, 1) end
  if bucket ~= '' then
    redis.call('HINCRBY', KEYS[17], bucket, 1)
    redis.call('HINCRBY', KEYS[17], sum, took)
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
end

-- Book the replies that a script was handed behind its own arguments; none, as a rule, or one.
local function book_replies(from)
  while ARGV[from] do
    book_reply(from)
    from = from + REPLY_LENGTH
  end
end
