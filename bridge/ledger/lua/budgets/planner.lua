-- Prepended to the scripts of a service's budget: what of it is used, who waits, when its places come free.
--
-- KEYS 1     budget:<service>:replies   sorted set: when the replies of the last window came
--      2     budget:<service>:flying    sorted set: requests sent and not answered -> when they count as lost
--      3     budget:<service>:closed    until when the service told us to wait
--      4     budget:<service>:booked    sorted set: who waits (job name) -> its place in the order, see `order`
--      5     budget:<service>:places    sorted set: one member for each place waited for, scored as its booking
--      6     budget:<service>:slots     sorted set: who waits -> when its slot is
--      7     budget:<service>:plan      hash: paced, seen:<lane>, number; see also `told` and `close`
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
-- A reset that is further away is the end of a fixed window, or a gap without anything that comes back.
local FAR = WINDOW / 6
-- Where what is used comes back all the time runs begin evenly, a little faster than the share allows on average.
local EVEN = 0.75
-- How old it is at least what a reply tells.
local AGE = WINDOW / 300
-- The end of their window is not waited for at the pace: what is left is sent one after another.
local HURRY = WINDOW / 30
-- For the way there and back, which is part of the time that a place is used, where it is not known yet.
local ON_THE_WAY = WINDOW / 60
-- How many of those who wait are set right each time.
local SET_RIGHT = 4
local WAKE = string.gsub(KEYS[8], 'due:.*$', 'wake')

local t = redis.call('TIME')
local NOW = t[1] * 1000 + math.floor(t[2] / 1000)

local facts = {}
do
  local all = redis.call('HGETALL', PLAN)
  for i = 1, #all, 2 do facts[all[i]] = tonumber(all[i + 1]) end
end
local function fact(name) return facts[name] or 0 end
local function note(name, value)
  facts[name] = value
  redis.call('HSET', PLAN, name, string.format('%.3f', value))
end
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

-- What others seem to spend, as far as only refusals tell; less with time, as they may have stopped.
local function cut() return fact('cut') * math.max(0, 1 - (NOW - fact('cut_at')) / (REMEMBERED * WINDOW)) end

-- What a lane may use of the share. See KEPT.
local function limit_of(lane)
  local limit = math.max(1, SHARE - math.floor(cut()))
  for better = 1, lane - 1 do
    if NOW - fact('seen:' .. better) < REMEMBERED * WINDOW then return math.max(1, limit - KEPT) end
  end
  return limit
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

local function others_spend() return NOW - math.max(fact('others_at'), fact('short_at')) < WINDOW end

-- How far apart runs of the worse lanes begin: as the share allows; where others spend of a fixed window, too,
-- as what they leave of it allows.
local function spacing()
  local ends = fact('window_ends')
  if fact('told_until') <= NOW then return WINDOW / math.max(1, SHARE - cut()) end
  if ends <= NOW then return SPACING * EVEN end
  if ends - NOW <= HURRY then return 0 end
  local room = fact('left') - fact('others') / WINDOW * (ends - NOW)
  return math.max(SPACING, (ends - NOW - HURRY) / math.max(1, room))
end

-- When the pace lets a run begin. Live calls go at once. The others are spread over the window: places that
-- are used together come free together, and a live call that finds none would wait for that time.
local function paced_at(lane, before)
  if lane == LIVE then return NOW end
  local apart = spacing()
  if apart == 0 then return NOW end
  local at_once = lane == RECORDING and WINDOW / 4 or GRACE
  if apart == SPACING * EVEN then at_once = WINDOW / 120 end
  return fact('paced') - at_once + before * apart
end

-- How many others send in that time at most, but for one time in so many.
local function others_send(ms, but_one_in)
  local mean = fact('others') / WINDOW * (ms + AGE)
  local most, chance = 0, math.exp(-mean)
  local more = 1 - chance
  while more > 1 / but_one_in and most < SHARE do
    most = most + 1
    chance = chance * mean / most
    more = more - chance
  end
  return most
end

-- When so many of our requests, of those that the service counted when it told, count no more.
local function comes_back(number)
  local more = number - fact('replies') + redis.call('ZCOUNT', REPLIES, '-inf', fact('left_at'))
  if more <= 0 then return NOW end
  local reply = redis.call('ZRANGE', REPLIES, more - 1, more - 1, 'WITHSCORES')[2]
  return reply and reply + WINDOW + 1 or fact('left_at') + number * SPACING
end

-- When what the service told leaves room. What it told grows old (see `told`); if others were seen to
-- spend, one request is then sent alone, whose reply tells anew: at worst one 429 until their reset time.
local function told_at(lane, before, wanted)
  local told_until = fact('told_until')
  if told_until <= NOW then
    if others_spend() and (before > 0 or redis.call('ZCARD', FLYING) > 0) then
      return NOW + (before + 1) * SPACING
    end
    return NOW
  end
  local over, told, ends = before + wanted - fact('left'), fact('left_at'), fact('window_ends')
  if ends > NOW then
    -- Nothing comes back before it ends, and what is left then is lost: once in a window it may be too much.
    if over + others_send(NOW - told, 25) <= 0 then return NOW end
    return ends + math.max(0, over - 1) * SPACING
  end
  -- What is used comes back all the time: some is kept, for what others send until the next reply tells.
  local at = NOW
  for _ = 1, 2 do
    local kept = lane == LIVE and 0 or others_send(at - told, 300)
    at = over + kept > 0 and comes_back(over + kept) or NOW
  end
  return before > 0 and at or math.min(at, told_until)
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
  not_before(told_at(lane, before, wanted), 'others')
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

-- Note what the service tells, if others spend from the same budget:
--   others_at, others      when that was last seen, and how much they spend in a window
--   left, left_at          of their limit, less what we sent since, and when
--   replies                how many of ours were in the log then
--   told_until             when it is too old
--   window_ends            of a fixed window, until then nothing comes back; in the past where it does all the time
--   asked                  what was told to a request that was sent before this one is older, whenever it comes
-- `asked`: orders requests by when they were sent; 0 where that is not known.
-- Answers whether it counts. If not, what is gone is ours, and the log of replies knows better than a rounded
-- reset time when it comes back.
local function told(limit, remaining, reset, asked)
  local flying, gone = redis.call('ZCARD', FLYING), limit - remaining
  -- What we sent is counted here at least as long as there.
  if gone > redis.call('ZCARD', REPLIES) + flying then note('others_at', NOW) end
  local is_newer, at_once = asked >= fact('asked'), asked == fact('asked')
  local ends, known = reset >= 0 and NOW + reset or 0, fact('window_ends')
  if known > NOW and ends > 0 then
    -- Whole seconds of their clock, rounded up: the least of what they told of a window is nearest.
    if ends < known + HURRY then ends = math.min(ends, known) end
  elseif reset <= FAR or reset > WINDOW + HURRY then
    ends = 0
  end
  if is_newer then
    note('asked', asked)
    note('window_ends', ends)
    if ends <= NOW and remaining <= flying + 2 then note('short_at', NOW) end
  end
  if not others_spend() and limit >= SHARE then return false end
  if not is_newer then return true end
  local since = ends > NOW and ends - WINDOW or NOW - WINDOW
  if NOW - since > WINDOW / 4 then
    local ours = redis.call('ZCOUNT', REPLIES, since, '+inf') + flying
    local theirs = math.max(0, gone - ours) * WINDOW / (NOW - since)
    note('others', facts.others and facts.others + (theirs - facts.others) / 20 or theirs)
  end
  -- Those in flight may be counted there already, or not.
  note('left', at_once and math.min(fact('left'), remaining - flying) or remaining - flying)
  note('left_at', NOW)
  note('replies', redis.call('ZCARD', REPLIES))
  note('told_until', ends > NOW and math.min(ends, NOW + WINDOW / 4) or NOW + WINDOW / 10)
  return true
end

-- The service told us to wait. `refused`: with a 429, else as nothing is left.
local function close(ms, refused)
  local over, before = fact('closed_until'), fact('closed_for')
  if refused then
    -- Soon after we waited as told: what it tells is too short, such as by a clock that is off.
    if NOW >= over and NOW - over < 2 * before then ms = math.max(ms, math.min(WINDOW, 2 * before)) end
    -- Within our share, and no headers that tell how much others leave of it.
    if fact('asked') + WINDOW < NOW and NOW - fact('cut_at') > WINDOW / 4 then
      note('cut', math.min(SHARE / 2, cut() + math.floor(SHARE / 12)))
      note('cut_at', NOW)
    end
  end
  if NOW + ms <= tonumber(redis.call('GET', CLOSED) or 0) then return end
  redis.call('SET', CLOSED, NOW + ms, 'PX', ms)
  if refused then
    note('closed_until', NOW + ms)
    note('closed_for', ms)
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
  local asked = tonumber(redis.call('ZSCORE', FLYING, request) or 0)
  redis.call('ZREM', FLYING, request)
  redis.call('ZADD', REPLIES, came_at, request)
  redis.call('PEXPIRE', REPLIES, WINDOW * 2)
  if counter ~= '' then redis.call('HINCRBY', KEYS[16], counter, 1) end
  if bucket ~= '' then
    redis.call('HINCRBY', KEYS[17], bucket, 1)
    redis.call('HINCRBY', KEYS[17], sum, took)
  end
  if remaining >= 0 and not told(limit, remaining, reset, asked) then closed_for = 0 end
  if closed_for > 0 then close(closed_for, remaining < 0) end
end

-- Book the replies that a script was handed behind its own arguments; none, as a rule, or one.
local function book_replies(from)
  while ARGV[from] do
    book_reply(from)
    from = from + REPLY_LENGTH
  end
end
