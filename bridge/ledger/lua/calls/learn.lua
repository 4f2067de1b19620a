-- Keep what is known of a call, once, and have its sync looked at.
--
-- KEYS 1-14   as in front/jobs.lua
--      15, 16 call:<uuid:..>, events:<uuid:..>   the part of the record kept under the uuid  (both pairs
--      17, 18 call:<id:..>, events:<id:..>       the part kept under the number               may be equal)
--      19     calls       sorted set: call key -> last time that something was learnt
--      20     counts      hash of counters
--      21     log:<key>   what happened to the call, newest first
--      22     meta        23 forgotten   sorted set of marks (forget.lua)
--      24     received    list of the newest deliveries, newest first: when, which event, where, what became of it
-- ARGV 1 uuid or ''   2 number or ''   3 field (fingerprint, or obs:<name>)   4 value (JSON object)
--      5 mode: once | news | observe   6 lane   7 retention of events, s   8 retention of the rest, s
--      9 counter prefix or ''   10 when it came, ms since 1970, or '' for now: later than now is now
--      11 field of an observation that says otherwise than this event, or ''
--      12 trigger of an event, or ''   13 how sure the ids are: 0 told by whoever holds a token, 1 signed by CloudTalk,
--      2 CloudTalk's answer to a question   14 'webhook' for a delivery, 'assigned' for one that was held so far, or ''
-- Answers {accepted | duplicate, call key}; {forgotten, call key} for a call that was (forget.lua): nothing is kept then.
--
-- Guarantees: an event is kept at most once for its fingerprint, under the id it came with. Where it
-- names both ids the two parts become one record, atomically and for good, whatever either part holds
-- (nothing is moved: a record is read as the union of its parts). An id belongs to one call only: of two pairs
-- that contradict each other the surer one counts, whichever came first, and both are noted. Where neither is surer,
-- the first stays until CloudTalk was asked (`contested`), and the other is noted as a conflict under its uuid.
-- Of the events of one trigger a part keeps the first ones and the newest, up to a number and a size, and counts
-- the rest: what an event costs does not grow with how many came. Job and event are written together.

local uuid, number, field, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[5]
local lane = tonumber(ARGV[6])
local now = now_ms()
-- A delivery that waited in a journal came when it came: the time line tells that, and so do the rules.
local came = math.min(tonumber(ARGV[10]) or now, now)
local call_u, events_u, call_i, events_i = KEYS[15], KEYS[16], KEYS[17], KEYS[18]
local value = cjson.decode(ARGV[4])
local start = now
local trigger, sure = ARGV[12] or '', tonumber(ARGV[13]) or 0
-- Of one trigger in one part: so many events and bytes; the first few stay whatever comes after them.
local FIRST, MOST, MOST_BYTES = 5, 25, 131072

local key, call, events
if uuid ~= '' then
  key, call, events = 'uuid:' .. uuid, call_u, events_u
else
  key, call, events = 'id:' .. number, call_i, events_i
end

-- Forgotten on request: a late event does not bring the call back. Where it tells another id of the call, what came
-- under that one goes too, and is not let in again either.
local function was_forgotten()
  -- As earlier versions remembered it; the clock makes marks of it.
  if redis.call('HEXISTS', call_u, FIELD.FORGOTTEN) == 1 then return true end
  if call_i ~= call_u and redis.call('HEXISTS', call_i, FIELD.FORGOTTEN) == 1 then return true end
  local secret = redis.call('HGET', KEYS[22], 'forget_secret')
  if not secret then return false end
  local function is_marked(text) return redis.call('ZSCORE', KEYS[23], forgotten_mark(secret, text)) end
  local by_uuid = uuid ~= '' and is_marked('uuid:' .. uuid)
  local by_number = number ~= '' and is_marked('id:' .. number)
  -- A number that a template gives many calls: the forgotten one had another uuid.
  if by_number and uuid ~= '' and not by_uuid and is_marked('joined:id:' .. number) then by_number = false end
  if not (by_uuid or by_number) then return false end
  -- include erase
  erase(uuid, number, KEYS[23], secret, now)
  return true
end
if was_forgotten() then
  if ARGV[9] ~= '' then redis.call('HINCRBY', KEYS[20], ARGV[9] .. 'forgotten', 1) end
  return {'forgotten', key}
end

local function sure_of(of) return tonumber(redis.call('HGET', ROOT .. 'call:id:' .. of, FIELD.SURE) or 0) end

-- Take a number from a uuid: CloudTalk, or whoever is surer, says that they are two calls.
local function untie(u, n)
  local call_of_u = ROOT .. 'call:uuid:' .. u
  redis.call('HDEL', ROOT .. 'call:id:' .. n, FIELD.UUID, FIELD.SURE)
  redis.call('HDEL', call_of_u, FIELD.ID)
  redis.call('HSET', call_of_u, FIELD.UNTIED, n)
  if u == uuid then
    -- What came under that number alone is a record of its own now.
    redis.call('ZADD', KEYS[19], now, 'id:' .. n)
    mark_due('sync|id:' .. n, lane, now, now)
    return
  end
  note_down(ROOT .. 'log:uuid:' .. u, now, 'contradiction settled', 'call ' .. n .. ' is uuid ' .. uuid)
  redis.call('EXPIRE', ROOT .. 'log:uuid:' .. u, ARGV[8])
  redis.call('ZADD', KEYS[19], now, 'uuid:' .. u)
  mark_due('sync|uuid:' .. u, lane, now, now)
end

-- What uuid and number are still tied to, once ties that are less sure than this pair are gone.
local function settle(of_uuid, of_number)
  local weak_uuid = of_uuid and of_uuid ~= number and sure_of(of_uuid) < sure
  local weak_number = of_number and of_number ~= uuid and sure_of(number) < sure
  local stands = (of_uuid and not weak_uuid) or (of_number and not weak_number)
  if stands then return of_uuid, of_number end
  if weak_uuid then untie(uuid, of_uuid) end
  if weak_number then
    untie(of_number, number)
    redis.call('HSET', call_i, FIELD.RIVAL, of_number)
  end
  return nil, nil
end

-- Two pairs contradict each other, and none is surer: CloudTalk is asked about the number that is tied.
local function contest(of_uuid, of_number)
  if redis.call('HSET', call_u, FIELD.CONFLICT, number) == 1 then
    note_down(KEYS[21], now, 'contradiction', 'an event says call ' .. number .. ', which is uuid ' .. (of_number or '?'))
  end
  local n = of_number and number or of_uuid
  local u = of_number or uuid
  local call_of_n = ROOT .. 'call:id:' .. n
  if of_number then redis.call('HSET', call_of_n, FIELD.RIVAL, uuid) end
  if sure_of(n) > sure or sure_of(n) == 2 or redis.call('HEXISTS', call_of_n, FIELD.CONTESTED) == 1 then return end
  redis.call('HSET', call_of_n, FIELD.CONTESTED, now)
  note_down(ROOT .. 'log:uuid:' .. u, now, 'contradiction', 'call ' .. number .. ' was said to be uuid ' .. uuid .. ' too')
  redis.call('EXPIRE', ROOT .. 'log:uuid:' .. u, ARGV[8])
  if u ~= uuid then mark_due('sync|uuid:' .. u, lane, now, now) end
end

if uuid ~= '' and number ~= '' then
  local of_uuid = redis.call('HGET', call_u, FIELD.ID)
  local of_number = redis.call('HGET', call_i, FIELD.UUID)
  if of_uuid ~= number or of_number ~= uuid then
    of_uuid, of_number = settle(of_uuid, of_number)
  end
  if of_uuid == number and of_number == uuid then
    if sure > sure_of(number) then redis.call('HSET', call_i, FIELD.SURE, sure) end
    if sure == 2 then redis.call('HDEL', call_i, FIELD.CONTESTED) end
  elseif not of_uuid and not of_number then
    if sure > 0 then redis.call('HSET', call_i, FIELD.SURE, sure) end
    redis.call('HDEL', call_i, FIELD.CONTESTED)
    redis.call('HDEL', call_u, FIELD.CONFLICT)
    redis.call('HSET', call_u, FIELD.ID, number)
    redis.call('HSET', call_i, FIELD.UUID, uuid)
    redis.call('ZREM', KEYS[19], 'id:' .. number)
    for _, kind in ipairs(KINDS_OF_CALLS) do
      local name = kind .. '|id:' .. number
      local job = job_of(name)
      if job then
        local runs_until = lease_end(name, job)
        local parked = redis.call('ZREM', PARKED, name)
        if runs_until <= now then drop(name, job) end
        -- Two jobs of one call must not write at once: the joined one starts when the other must have ended.
        if kind == 'sync' then
          start = math.max(now, runs_until)
        elseif parked == 0 then
          mark_due(kind .. '|uuid:' .. uuid, job.lane, math.max(now, runs_until), now)
        end
      end
    end
  else
    contest(of_uuid, of_number)
  end
elseif uuid == '' then
  local of_number = redis.call('HGET', call_i, FIELD.UUID)
  if of_number then key = 'uuid:' .. of_number end
end

-- Whether we learnt by asking, at `since` or later, that it is otherwise than this event says: then its repeat is
-- news. Keeping it moves its last time on, so that this holds for one repeat only.
local function says_otherwise(since)
  if (ARGV[11] or '') == '' then return false end
  -- What we learnt is kept under the record's key, this event perhaps under the number only.
  local leading = string.gsub(events_i, 'id:%d+$', key)
  for _, part in ipairs({events_u, events_i, leading}) do
    local found = redis.call('HGET', part, ARGV[11])
    if found and cjson.decode(found).at >= since then return true end
  end
  return false
end

-- Make room for one more event, and remember in which order they came. The newest one always stays.
local function make_room(size)
  local name = FAMILY.KEPT .. trigger
  local text = redis.call('EXISTS', events) == 1 and redis.call('HGET', call, name)
  local kept = text and cjson.decode(text) or {}
  kept[#kept + 1] = {field, size}
  local bytes = 0
  for _, one in ipairs(kept) do bytes = bytes + one[2] end
  while #kept > MOST or (bytes > MOST_BYTES and #kept > 2) do
    local gone = table.remove(kept, math.min(FIRST + 1, #kept - 1))
    bytes = bytes - gone[2]
    redis.call('HDEL', events, gone[1], gone[1] .. ':unsigned')
    redis.call('HINCRBY', call, FAMILY.LEFT_OUT .. trigger, 1)
  end
  redis.call('HSET', call, name, cjson.encode(kept))
end

local answer = 'accepted'
local old = mode ~= 'observe' and redis.call('HGET', events, field)
if old and sure > 0 then
  local kept = cjson.decode(old)
  if not kept.signed and kept.body ~= value.body then
    -- Somebody else took this event's place before CloudTalk sent it: both are kept.
    redis.call('HSET', events, field .. ':unsigned', old)
    old = nil
  elseif not kept.signed then
    kept.signed = true
    old = cjson.encode(kept)
  end
end
if old then
  local kept = cjson.decode(old)
  if mode == 'once' and not says_otherwise(kept.last_at) then answer = 'duplicate' end
  kept.times = (kept.times or 1) + 1
  kept.at = math.min(kept.at, came)
  kept.last_at = math.max(kept.last_at, came)
  redis.call('HSET', events, field, cjson.encode(kept))
else
  value.at = came
  value.last_at = came
  if mode ~= 'observe' and redis.call('HEXISTS', events, field) == 0 then make_room(#value.body) end
  -- The body was encoded by the caller and is kept as its text: a script's JSON would bend large numbers.
  redis.call('HSET', events, field, cjson.encode(value))
end

if ARGV[9] ~= '' then redis.call('HINCRBY', KEYS[20], ARGV[9] .. answer, 1) end
if (ARGV[14] or '') ~= '' then
  note_received(KEYS[24], now, field, uuid ~= '' and 'uuid:' .. uuid or 'id:' .. number,
    ARGV[14] == 'webhook' and answer or ARGV[14])
end
if answer == 'accepted' then
  if redis.call('HSETNX', call, FIELD.FIRST_AT, came) == 1 then
    -- A rehearsal (rehearsal.py) is no call, and one that the bridge made up does not count.
    if field ~= 'rehearsal' and string.find(uuid, SYNTHETIC, 1, true) ~= 1 then count_traffic('calls', now) end
  end
  redis.call('HSET', call, FIELD.LAST_AT, now)
  if value.trace then redis.call('HSET', call, FIELD.TRACE, value.trace) end
  redis.call('ZADD', KEYS[19], now, key)
  mark_due('sync|' .. key, lane, start, now)
end
redis.call('EXPIRE', events_u, ARGV[7])
redis.call('EXPIRE', call_u, ARGV[8])
redis.call('EXPIRE', KEYS[21], ARGV[8])
if call_i ~= call_u then
  redis.call('EXPIRE', events_i, ARGV[7])
  redis.call('EXPIRE', call_i, ARGV[8])
end
return {answer, key}
