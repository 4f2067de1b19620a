-- Keep what is known of calls, once, and have their syncs looked at.
--
-- KEYS 1      call:<key>   of one of the calls, for Redis, to find the server by; the script spells its keys itself:
--             call:<uuid:..>, events:<uuid:..>   the part of the record kept under the uuid
--             call:<id:..>, events:<id:..>       the part kept under the number
--             calls       sorted set: call key -> last time that something was learnt
--             counts      hash of counters
--             log:<key>   what happened to the call, newest first
--             meta        forgotten   sorted set of marks (forget.lua)
--             received    list of the newest deliveries, newest first: when, which event, where, what became of it
--             and those of front/jobs.lua
-- ARGV        one or more groups of what is to be kept. First, the same for all of a group (learning.py):
--      1 how many there are in the group   2 mode: once | news | observe   3 lane
--      4 retention of events, s   5 retention of the rest, s
--      6 trigger of an event, or ''   7 how sure the ids are: 0 told by whoever holds a token, 1 signed by CloudTalk,
--      2 CloudTalk's answer to a question   8 'webhook' for a delivery, 'assigned' for one that was held so far, or '':
--      neither counted nor listed   9 field of an observation that says otherwise than this event, or ''
--      10 when it came, ms since 1970, or '' for now: later than now is now   11 `traceparent` of its webhook, or ''
--      then of each: uuid or '', number or '', field (fingerprint, or obs:<name>), value (JSON object)
-- Answers a list with one item for each:
--      1 where it was accepted, under the key of its own ids (the uuid's, if it has both)
--      {accepted | duplicate, call key}
--      {forgotten, call key} for a call that was (forget.lua): nothing is kept then
--      an error, if there are several: the others are kept. The error of a single one is the script's.
--
-- Guarantees: an event is kept at most once for its fingerprint, under the id it came with. Where it
-- names both ids the two parts become one record, atomically and for good, whatever either part holds
-- (nothing is moved: a record is read as the union of its parts). An id belongs to one call only: of two pairs
-- that contradict each other the surer one counts, whichever came first, and both are noted. Where neither is surer,
-- the first stays until CloudTalk was asked (`contested`), and the other is noted as a conflict under its uuid.
-- Of the events of one trigger a part keeps the first ones and the newest, up to a number and a size, and counts
-- the rest: what an event costs does not grow with how many came. Job and event are written together.
--
-- The usual event costs as few commands as it can: one read a key, one write a key. What all events write to the same
-- keys is written once for a group, at its end (`settle`), or sooner where an event has to read that. What is seldom
-- stands in blocks of its own, so that its functions are made only there; and a function is handed what it needs, as
-- each variable of others that it uses costs Lua as much as a function.

local OF_GROUP = 11
local OF_EACH = 4

local function count(group, answer)
  if group[answer] == 0 then return end
  redis.call('HINCRBY', ROOT .. 'counts', 'webhook:' .. group.trigger .. ':' .. answer, group[answer])
  group[answer] = 0
end

-- Write what is left to write for the events of a group so far.
local function settle(group)
  local calls, lane, now = group.calls, group.lane, group.now
  if #calls > 0 then
    redis.call('ZADD', ROOT .. 'calls', unpack(calls))
    local names, new, mark = {}, {}, nil
    for n = 2, #calls, 2 do names[n / 2] = 'sync|' .. calls[n] end
    local planned = redis.call('HMGET', JOBS, unpack(names))
    for n, name in ipairs(names) do
      if planned[n] then
        if not mark then
          -- include mark_due
          mark = mark_due
        end
        mark(name, lane, now, now, planned[n])
      else
        new[#new + 1] = name
      end
    end
    if #new > 0 then plan_new(new, lane, now, now) end
    group.calls = {}
  end
  local is_busy_minute, new_calls = true, group.new_calls
  if new_calls > 0 then
    is_busy_minute = count_traffic('calls', now, new_calls) > new_calls
    group.new_calls = 0
  end
  count(group, 'accepted')
  count(group, 'duplicate')
  count(group, 'forgotten')
  if #group.lines > 0 then
    list_received(ROOT .. 'received', group.lines, is_busy_minute)
    group.lines = {}
  end
end

-- Keep one.
local function learn(group, uuid, number, field, value)
  local now, lane, trigger, sure = group.now, group.lane, group.trigger, group.sure
  local mode, events_s, outputs_s, came = group.mode, group.events_s, group.outputs_s, group.came
  local has_uuid, has_both = uuid ~= '', uuid ~= '' and number ~= ''
  -- The part that this goes to, and where both ids are known, the other one: that of the number.
  local part = has_uuid and 'uuid:' .. uuid or 'id:' .. number
  local key = part
  local call, events = ROOT .. 'call:' .. part, ROOT .. 'events:' .. part
  local call_i = has_both and ROOT .. 'call:id:' .. number or call

  local was_forgotten, first_at, last_at, kept_before, tied, conflict = unpack(redis.call(
    'HMGET', call, FIELD.FORGOTTEN, FIELD.FIRST_AT, FIELD.LAST_AT, FAMILY.KEPT .. trigger,
    has_uuid and FIELD.ID or FIELD.UUID, FIELD.CONFLICT))
  -- What the uuid and the number are tied to so far, and what else is known of the number.
  local of_uuid, of_number = has_uuid and tied, not has_uuid and tied
  local sure_before, contested, number_at = 0, false, false
  if has_both then
    local told = redis.call('HMGET', call_i, FIELD.FORGOTTEN, FIELD.UUID, FIELD.SURE, FIELD.CONTESTED, FIELD.LAST_AT)
    was_forgotten = was_forgotten or told[1]
    of_number, sure_before, contested, number_at = told[2], tonumber(told[3] or 0), told[4], told[5]
  end

  -- Forgotten on request: a late event does not bring the call back. Where it tells another id of the call, what came
  -- under that one goes too, and is not let in again either. As earlier versions remembered it, the record says so
  -- itself; the clock makes marks of that.
  local secret = group.secret
  if secret and not was_forgotten then
    -- include forgotten_mark
    local marks = ROOT .. 'forgotten'
    local function is_marked(text) return redis.call('ZSCORE', marks, forgotten_mark(secret, text)) end
    local by_uuid = has_uuid and is_marked('uuid:' .. uuid)
    local by_number = number ~= '' and is_marked('id:' .. number)
    -- A number that a template gives many calls: the forgotten one had another uuid.
    if by_number and has_uuid and not by_uuid and is_marked('joined:id:' .. number) then by_number = false end
    was_forgotten = by_uuid or by_number
    if was_forgotten then
      settle(group)
      -- include erase
      erase(uuid, number, marks, secret, now)
    end
  end
  if was_forgotten then
    if group.received ~= '' then group.forgotten = group.forgotten + 1 end
    return {'forgotten', key}
  end

  -- Two pairs contradict each other.
  if (of_uuid and has_both and of_uuid ~= number) or (of_number and has_both and of_number ~= uuid) then
    settle(group)
    -- include note_down mark_due
    local function sure_of(of) return tonumber(redis.call('HGET', ROOT .. 'call:id:' .. of, FIELD.SURE) or 0) end

    local function note(u, what, more)
      note_down(ROOT .. 'log:uuid:' .. u, now, what, more)
      redis.call('EXPIRE', ROOT .. 'log:uuid:' .. u, outputs_s)
    end

    -- Take a number from a uuid: CloudTalk, or whoever is surer, says that they are two calls.
    local function untie(u, n)
      local call_of_u, call_of_n = ROOT .. 'call:uuid:' .. u, ROOT .. 'call:id:' .. n
      redis.call('HDEL', call_of_n, FIELD.UUID, FIELD.SURE)
      redis.call('HDEL', call_of_u, FIELD.ID)
      redis.call('HSET', call_of_u, FIELD.UNTIED, n)
      if u == uuid then
        -- What came under that number alone is a record of its own now.
        redis.call('HSET', call_of_n, FIELD.LAST_AT, now)
        redis.call('EXPIRE', call_of_n, outputs_s)
        redis.call('ZADD', ROOT .. 'calls', now, 'id:' .. n)
        mark_due('sync|id:' .. n, lane, now, now)
        return
      end
      note(u, 'contradiction settled', 'call ' .. n .. ' is uuid ' .. uuid)
      redis.call('ZADD', ROOT .. 'calls', now, 'uuid:' .. u)
      mark_due('sync|uuid:' .. u, lane, now, now)
    end

    -- None is surer: CloudTalk is asked about the number that is tied.
    local function contest()
      if redis.call('HSET', call, FIELD.CONFLICT, number) == 1 then
        note(uuid, 'contradiction', 'an event says call ' .. number .. ', which is uuid ' .. (of_number or '?'))
      end
      local n = of_number and number or of_uuid
      local u = of_number or uuid
      local call_of_n = ROOT .. 'call:id:' .. n
      if of_number then redis.call('HSET', call_of_n, FIELD.RIVAL, uuid) end
      if sure_of(n) > sure or sure_of(n) == 2 or redis.call('HEXISTS', call_of_n, FIELD.CONTESTED) == 1 then return end
      redis.call('HSET', call_of_n, FIELD.CONTESTED, now)
      note(u, 'contradiction', 'call ' .. number .. ' was said to be uuid ' .. uuid .. ' too')
      if u ~= uuid then mark_due('sync|uuid:' .. u, lane, now, now) end
    end

    local weak_uuid = of_uuid and of_uuid ~= number and sure_of(of_uuid) < sure
    local weak_number = of_number and of_number ~= uuid and sure_of(number) < sure
    if (of_uuid and not weak_uuid) or (of_number and not weak_number) then
      contest()
    else
      -- Ties that are less sure than this pair go.
      if weak_uuid then untie(uuid, of_uuid) end
      if weak_number then
        untie(of_number, number)
        redis.call('HSET', call_i, FIELD.RIVAL, of_number)
      end
      of_uuid, of_number, number_at = false, false, now
    end
  end

  -- What is written to the part at the end, in one command.
  local fields = {}
  local is_joined = has_both and not of_uuid and not of_number
  local start = now
  if is_joined then
    -- The two parts become one record. What this group told of the number stands in its job.
    if number_at then settle(group) end
    if contested then redis.call('HDEL', call_i, FIELD.CONTESTED) end
    if conflict then redis.call('HDEL', call, FIELD.CONFLICT) end
    fields = {FIELD.ID, number}
    if sure > 0 then
      redis.call('HSET', call_i, FIELD.UUID, uuid, FIELD.SURE, sure)
    else
      redis.call('HSET', call_i, FIELD.UUID, uuid)
    end
    if number_at then redis.call('ZREM', ROOT .. 'calls', 'id:' .. number) end
    local names = {}
    for n, kind in ipairs(KINDS_OF_CALLS) do names[n] = kind .. '|id:' .. number end
    for n, text in ipairs(redis.call('HMGET', JOBS, unpack(names))) do
      if text then
        -- include lease_end drop mark_due
        local kind, name, job = KINDS_OF_CALLS[n], names[n], cjson.decode(text)
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
  elseif not has_both then
    if of_number then key = 'uuid:' .. of_number end
  elseif of_uuid == number and of_number == uuid then
    if sure > sure_before then redis.call('HSET', call_i, FIELD.SURE, sure) end
    if sure == 2 and contested then redis.call('HDEL', call_i, FIELD.CONTESTED) end
  end

  local answer = 'accepted'
  -- Nothing was kept in this part so far: events go sooner than the rest of it.
  local is_empty = not first_at and tonumber(outputs_s) >= tonumber(events_s)
  local found = mode ~= 'observe' and not is_empty and redis.call('HGET', events, field)
  local old = found and cjson.decode(found)
  if old and sure > 0 and not old.signed then
    local new = cjson.decode(value)
    -- Of an encrypted body its digest tells whether it is the same.
    if (old.digest or old.body) ~= (new.digest or new.body) then
      -- Somebody else took this event's place before CloudTalk sent it: both are kept.
      redis.call('HSET', events, field .. ':unsigned', found)
      old = nil
    else
      old.signed = true
    end
  end
  if old then
    -- Whether we learnt by asking, at `since` or later, that it is otherwise than this event says: then its repeat is
    -- news. Keeping it moves its last time on, so that this holds for one repeat only.
    local function says_otherwise(since)
      local otherwise = group.otherwise
      if otherwise == '' then return false end
      -- What we learnt is kept under the record's key, this event perhaps under the number only.
      local by_number = number ~= '' and ROOT .. 'events:id:' .. number or events
      for _, name in ipairs({events, by_number, ROOT .. 'events:' .. key}) do
        local told = redis.call('HGET', name, otherwise)
        if told and cjson.decode(told).at >= since then return true end
      end
      return false
    end
    if mode == 'once' and not says_otherwise(old.last_at) then answer = 'duplicate' end
    old.times = (old.times or 1) + 1
    old.at = math.min(old.at, came)
    old.last_at = math.max(old.last_at, came)
    redis.call('HSET', events, field, cjson.encode(old))
  else
    -- Its text is kept as the caller made it: a script's JSON would bend large numbers.
    local text = string.sub(value, 1, -2) .. group.times
    if mode ~= 'observe' and not found then
      -- Make room for one more event, and remember in which order they came. The newest one always stays.
      local order = FAMILY.KEPT .. trigger
      if not kept_before or redis.call('EXISTS', events) == 0 then
        fields[#fields + 1], fields[#fields + 2] = order, '[["' .. field .. '",' .. #text .. ']]'
      else
        -- Of one trigger in one part: so many events and bytes; the first few stay whatever comes after them.
        local FIRST, MOST, MOST_BYTES = 5, 25, 131072
        local kept = cjson.decode(kept_before)
        kept[#kept + 1] = {field, #text}
        local bytes = 0
        for _, one in ipairs(kept) do bytes = bytes + one[2] end
        while #kept > MOST or (bytes > MOST_BYTES and #kept > 2) do
          local gone = table.remove(kept, math.min(FIRST + 1, #kept - 1))
          bytes = bytes - gone[2]
          redis.call('HDEL', events, gone[1], gone[1] .. ':unsigned')
          redis.call('HINCRBY', call, FAMILY.LEFT_OUT .. trigger, 1)
        end
        fields[#fields + 1], fields[#fields + 2] = order, cjson.encode(kept)
      end
    end
    redis.call('HSET', events, field, text)
  end

  if answer == 'accepted' then
    fields[#fields + 1], fields[#fields + 2] = FIELD.LAST_AT, group.now_text
    if not first_at then fields[#fields + 1], fields[#fields + 2] = FIELD.FIRST_AT, group.came_text end
    if group.trace ~= '' then fields[#fields + 1], fields[#fields + 2] = FIELD.TRACE, group.trace end
  end
  if #fields > 0 then redis.call('HSET', call, unpack(fields)) end

  -- Retention counts from the last time that something was learnt, to within a hundredth of it, at most an hour.
  local is_due = not last_at or math.floor(last_at / group.period) ~= math.floor(now / group.period)
  if is_due then
    redis.call('EXPIRE', events, events_s)
    redis.call('EXPIRE', call, outputs_s)
    if last_at then redis.call('EXPIRE', ROOT .. 'log:' .. part, outputs_s) end
  end
  -- Its other part lives as long, also where this did not name it.
  local other = has_both and 'id:' .. number or of_uuid and 'id:' .. of_uuid or of_number and 'uuid:' .. of_number
  if other and (is_due or is_joined) then
    redis.call('EXPIRE', ROOT .. 'call:' .. other, outputs_s)
    -- Nothing came under the number alone, where only an event with both ids tells of it.
    if number_at or not is_joined then redis.call('EXPIRE', ROOT .. 'events:' .. other, events_s) end
  end

  -- What `settle` writes.
  if answer == 'accepted' then
    -- A rehearsal (rehearsal.py) is no call, and one that the bridge made up does not count.
    if not first_at and field ~= 'rehearsal' and string.find(uuid, SYNTHETIC, 1, true) ~= 1 then
      group.new_calls = group.new_calls + 1
    end
    if start > now then
      -- include mark_due
      settle(group)
      redis.call('ZADD', ROOT .. 'calls', group.now_text, key)
      mark_due('sync|' .. key, lane, start, now)
    else
      local calls = group.calls
      calls[#calls + 1], calls[#calls + 2] = group.now_text, key
    end
  end
  local received = group.received
  if received ~= '' then
    group[answer] = group[answer] + 1
    group.lines[#group.lines + 1] = received_line(group.now_text, field, part, received == 'webhook' and answer or received)
  end
  if answer == 'accepted' and key == part then return 1 end
  return {answer, key}
end

local now, at = now_ms(), 0
-- As texts, so that Redis need not print numbers for each command.
local now_text = string.format('%.0f', now)
local secret = redis.call('HGET', ROOT .. 'meta', 'forget_secret')
local answers, is_single = {}, #ARGV == OF_GROUP + OF_EACH
while ARGV[at + 1] do
  -- A delivery that waited in a journal came when it came: the time line tells that, and so do the rules.
  local came = math.min(tonumber(ARGV[at + 10]) or now, now)
  local came_text = came == now and now_text or string.format('%.0f', came)
  local group = {
    now = now, now_text = now_text, secret = secret,
    mode = ARGV[at + 2], lane = tonumber(ARGV[at + 3]), events_s = ARGV[at + 4], outputs_s = ARGV[at + 5],
    trigger = ARGV[at + 6], sure = tonumber(ARGV[at + 7]), received = ARGV[at + 8], otherwise = ARGV[at + 9],
    came = came, came_text = came_text, times = ', "at": ' .. came_text .. ', "last_at": ' .. came_text .. '}',
    trace = ARGV[at + 11], period = math.min(3600000, ARGV[at + 4] * 10, ARGV[at + 5] * 10),
    -- What is left to write: places in the list of calls, which are those whose sync is to be looked at; lines of
    -- the newest deliveries; how many calls are new, and how many deliveries were answered how.
    calls = {}, lines = {}, new_calls = 0, accepted = 0, duplicate = 0, forgotten = 0,
  }
  local ends = at + OF_GROUP + ARGV[at + 1] * OF_EACH
  at = at + OF_GROUP
  while at < ends do
    if is_single then
      answers[1] = learn(group, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
    else
      local worked, answer = pcall(learn, group, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
      -- What one of several met is its own answer: an error of Redis's with its code in front, except for 6.2, or Lua's.
      if not worked then answer = {err = string.match(answer, '^%u+ ') and answer or 'ERR ' .. answer} end
      answers[#answers + 1] = answer
    end
    at = at + OF_EACH
  end
  settle(group)
end
return answers
