-- Keep what is known of a call, once, and have its sync looked at.
--
-- KEYS 1-14   as in prelude.lua
--      15, 16 call:<uuid:..>, events:<uuid:..>   the part of the record kept under the uuid  (both pairs
--      17, 18 call:<id:..>, events:<id:..>       the part kept under the number               may be equal)
--      19     calls       sorted set: call key -> last time that something was learnt
--      20     counts      hash of counters
--      21     log:<key>   what happened to the call, newest first
--      22     meta        23 forgotten   sorted set of marks (forget.lua)
-- ARGV 1 uuid or ''   2 number or ''   3 field (fingerprint, or obs:<name>)   4 value (JSON object)
--      5 mode: once | news | observe   6 lane   7 retention of events, s   8 retention of the rest, s
--      9 counter prefix or ''   10 when it came, ms since 1970, or '' for now: later than now is now
--      11 field of an observation that says otherwise than this event, or ''
-- Answers {accepted | duplicate, call key}; {forgotten, call key} for a call that was (forget.lua): nothing is kept then.
--
-- Guarantees: an event is kept at most once for its fingerprint, under the id it came with. Where it
-- names both ids the two parts become one record, atomically and for good, whatever either part holds
-- (nothing is moved: a record is read as the union of its parts). An id belongs to one call only: a
-- contradicting pair stays under its uuid and is noted as a conflict. Job and event are written together.

local uuid, number, field, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[5]
local lane = tonumber(ARGV[6])
local now = now_ms()
-- A delivery that waited in a journal came when it came: the time line tells that, and so do the rules.
local came = math.min(tonumber(ARGV[10]) or now, now)
local call_u, events_u, call_i, events_i = KEYS[15], KEYS[16], KEYS[17], KEYS[18]
local value = cjson.decode(ARGV[4])
local start = now

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
  if redis.call('HEXISTS', call_u, 'forgotten') == 1 or redis.call('HEXISTS', call_i, 'forgotten') == 1 then
    return true
  end
  local secret = redis.call('HGET', KEYS[22], 'forget_secret')
  if not secret then return false end
  local function is_marked(text) return redis.call('ZSCORE', KEYS[23], forgotten_mark(secret, text)) end
  local by_uuid = uuid ~= '' and is_marked('uuid:' .. uuid)
  local by_number = number ~= '' and is_marked('id:' .. number)
  -- A number that a template gives many calls: the forgotten one had another uuid.
  if by_number and uuid ~= '' and not by_uuid and is_marked('joined:id:' .. number) then by_number = false end
  if not (by_uuid or by_number) then return false end
  erase(uuid, number, KEYS[23], secret, now)
  return true
end
if was_forgotten() then
  if ARGV[9] ~= '' then redis.call('HINCRBY', KEYS[20], ARGV[9] .. 'forgotten', 1) end
  return {'forgotten', key}
end

if uuid ~= '' and number ~= '' then
  local of_uuid = redis.call('HGET', call_u, 'id')
  local of_number = redis.call('HGET', call_i, 'uuid')
  if not of_uuid and not of_number then
    redis.call('HSET', call_u, 'id', number)
    redis.call('HSET', call_i, 'uuid', uuid)
    redis.call('ZREM', KEYS[19], 'id:' .. number)
    for _, kind in ipairs({'sync', 'detail', 'recording', 'insights'}) do
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
  elseif of_uuid ~= number or of_number ~= uuid then
    redis.call('HSET', call_u, 'conflict', number)
  end
elseif uuid == '' then
  local of_number = redis.call('HGET', call_i, 'uuid')
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

local answer = 'accepted'
local old = mode ~= 'observe' and redis.call('HGET', events, field)
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
  -- The body was encoded by the caller and is kept as its text: a script's JSON would bend large numbers.
  redis.call('HSET', events, field, cjson.encode(value))
end

if ARGV[9] ~= '' then redis.call('HINCRBY', KEYS[20], ARGV[9] .. answer, 1) end
if answer == 'accepted' then
  redis.call('HSETNX', call, 'first_at', came)
  redis.call('HSET', call, 'last_at', now)
  redis.call('ZADD', KEYS[19], now, key)
  mark_due('sync|' .. key, lane, start, now)
end
for _, k in ipairs({events_u, events_i}) do redis.call('EXPIRE', k, ARGV[7]) end
for _, k in ipairs({call_u, call_i, KEYS[21]}) do redis.call('EXPIRE', k, ARGV[8]) end
return {answer, key}
