-- Keep what a webhook says of a text message, once, and have it written.
--
-- KEYS 1-14   as in front/jobs.lua
--      15     counts      hash of counters
--      16     received    as in learn.lua
--      17     meta        18 forgotten   sorted set of marks (forget.lua)
--      19     messages    sorted set: key of a message -> when it was first heard of
-- ARGV 1 fingerprint   2 value (JSON object)   3 who tells it: native | workflow | bridge   4 '1': it has an id of its own
--      5 when it came, ms since 1970, or '' for now: later than now is now   6 its own time, ms, or '' where none is told
--      7 the customer's number in E.164, or ''   8 digest by which the same message is known, or ''
--      9 name in Kustomer, should it be new   10 what lists show of it (JSON)   11 lane
--      12 retention of bodies, s   13 retention of the rest, s   14 counter prefix or ''
--      15 ms within which the same without an id, or by the other kind of webhook, is the same message
--      16 job kind, or '' for one that is not to be written
-- Answers {accepted | duplicate, key}; {forgotten, key} for one that was: nothing is kept then.
--
-- Guarantees: a delivery is kept at most once for its fingerprint. Two deliveries of one message by different kinds of
-- webhook become one record, whichever comes first; each record takes at most one of each kind, so that somebody who
-- writes the same twice is not taken for one that is told twice. Record, job and place in the order of the number are
-- written together.
local fingerprint, source, has_id = ARGV[1], ARGV[3], ARGV[4] == '1'
local now = now_ms()
local came = math.min(tonumber(ARGV[5]) or now, now)
local at = tonumber(ARGV[6]) or came
local number, digest, window = ARGV[7], ARGV[8], tonumber(ARGV[15])
local value = cjson.decode(ARGV[2])
local LATELY_MOST = 200

local function record_of(key) return ROOT .. 'call:' .. key end

local secret = redis.call('HGET', KEYS[17], 'forget_secret')
local function is_forgotten(key)
  return secret and redis.call('ZSCORE', KEYS[18], forgotten_mark(secret, key))
end

-- Of which record this very delivery was before, or nil. Without an id only for a while: people repeat themselves.
local alias = ROOT .. 'messages:alias:' .. fingerprint
local function known_before()
  local text = redis.call('GET', alias)
  if text then
    local told = cjson.decode(text)
    if has_id or math.abs(came - told.at) <= window then return told.key end
    return nil
  end
  local key = 'message:' .. fingerprint
  local first_at = redis.call('HGET', record_of(key), FIELD.FIRST_AT)
  if first_at and (has_id or math.abs(came - tonumber(first_at)) <= window) then return key end
  return nil
end

-- The record of the same message as another kind of webhook told it.
local lately = ROOT .. 'messages:lately:' .. number
local function told_otherwise()
  -- What is to be sent is a message of its own, whatever was sent before.
  if number == '' or digest == '' or source == 'bridge' then return nil end
  local best, best_text, distance
  for _, text in ipairs(redis.call('ZRANGEBYSCORE', lately, at - window, at + window)) do
    local one = cjson.decode(text)
    if one.digest == digest and not one.by[source] and (not distance or math.abs(one.at - at) < distance) then
      best, best_text, distance = one, text, math.abs(one.at - at)
    end
  end
  if not best then return nil end
  best.by[source] = true
  redis.call('ZREM', lately, best_text)
  redis.call('ZADD', lately, best.at, cjson.encode(best))
  return best.key
end

local function remember(key)
  redis.call('SET', alias, cjson.encode({key = key, at = came}), 'EX', ARGV[13])
end

local answer = 'duplicate'
local key = known_before()
if not key then
  key = told_otherwise()
  if key then
    remember(key)
  else
    answer, key = 'accepted', 'message:' .. fingerprint
    if redis.call('EXISTS', record_of(key)) == 1 then
      -- The same words again, later.
      key = key .. '.' .. string.format('%.0f', came)
      -- Not where a journal tells them once more, after something that came later.
      if redis.call('EXISTS', record_of(key)) == 1 then answer = 'duplicate' end
    end
    if key ~= 'message:' .. fingerprint or not has_id then remember(key) end
  end
end
if is_forgotten(key) or is_forgotten('message:' .. fingerprint) then
  if ARGV[14] ~= '' then redis.call('HINCRBY', KEYS[15], ARGV[14] .. 'forgotten', 1) end
  return {'forgotten', key}
end

local record, events = record_of(key), ROOT .. 'events:' .. key
local old = redis.call('HGET', events, fingerprint)
if old then
  local kept = cjson.decode(old)
  kept.times = (kept.times or 1) + 1
  kept.at, kept.last_at = math.min(kept.at, came), math.max(kept.last_at, came)
  kept.signed = kept.signed or value.signed
  redis.call('HSET', events, fingerprint, cjson.encode(kept))
elseif redis.call('HLEN', events) < 8 then
  value.at, value.last_at = came, came
  redis.call('HSET', events, fingerprint, cjson.encode(value))
end
if ARGV[14] ~= '' then
  redis.call('HINCRBY', KEYS[15], ARGV[14] .. answer, 1)
  note_received(KEYS[16], now, fingerprint, key, answer)
end
if answer == 'accepted' then
  local name = ARGV[9]
  local suffix = string.match(key, '^message:%x+(%..+)$')
  if suffix then name = name .. suffix end
  redis.call('HSET', record, FIELD.FIRST_AT, came, FIELD.NAME, name, FIELD.MESSAGE, ARGV[10])
  if value.trace then redis.call('HSET', record, FIELD.TRACE, value.trace) end
  redis.call('ZADD', KEYS[19], came, key)
  if number ~= '' and digest ~= '' then
    local one = {key = key, at = at, digest = digest, by = {[source] = true}}
    redis.call('ZADD', lately, at, cjson.encode(one))
    redis.call('ZREMRANGEBYRANK', lately, 0, -1 - LATELY_MOST)
    redis.call('PEXPIRE', lately, 4 * window)
  end
  if ARGV[16] ~= '' then
    if number ~= '' and source ~= 'bridge' then
      local waiting = ROOT .. 'messages:waiting:' .. number
      redis.call('ZADD', waiting, at, key)
      redis.call('EXPIRE', waiting, ARGV[12])
    end
    mark_due(ARGV[16] .. '|' .. key, tonumber(ARGV[11]), now, now)
  end
end
redis.call('HSET', record, FIELD.LAST_AT, now)
redis.call('EXPIRE', events, ARGV[12])
redis.call('EXPIRE', record, ARGV[13])
redis.call('EXPIRE', ROOT .. 'log:' .. key, ARGV[13])
return {answer, key}
