-- Prepended to every script of this folder that works on jobs.
--
-- KEYS 1-4    due:<lane>      sorted sets: when a job is to be looked at (ms since 1970), lanes by priority
--      5-8    leased:<lane>   sorted sets: until when a worker holds a job
--      9-12   handed:<lane>   sorted sets: until when a job handed to a worker process may be on its way
--      13     jobs            hash: job name -> JSON {lane, attempts, deliveries, steps, token, again_at, error, ...}
--      14     parked          sorted set: since when a job waits for a person
-- KINDS_OF_CALLS, the kinds of jobs that a call may have, comes from kinds.py; FIELD, FAMILY and STATE, the names in
-- a call's record, come from record_fields.py (scripts.py).
-- All keys carry one hash tag, so that they live in one slot of a cluster. Times are the server's own:
-- no process's clock is trusted.
--
-- A job that is leased stays in its due set, scored with the end of its lease. Should its worker die,
-- it is due again by itself: there is nothing to rescue and nobody who has to do it.

local LANES = 4
local JOBS, PARKED = KEYS[13], KEYS[14]
local WAKE = string.gsub(JOBS, 'jobs$', 'wake')

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function job_of(name)
  local text = redis.call('HGET', JOBS, name)
  return text and cjson.decode(text) or nil
end

local function save(name, job)
  redis.call('HSET', JOBS, name, cjson.encode(job))
end

local function due(lane) return KEYS[lane] end
local function leased(lane) return KEYS[4 + lane] end
local function handed(lane) return KEYS[8 + lane] end

local function lease_end(name, job)
  if not job then return 0 end
  return tonumber(redis.call('ZSCORE', leased(job.lane), name) or 0)
end

local function drop(name, job)
  for lane = 1, LANES do
    redis.call('ZREM', due(lane), name)
    redis.call('ZREM', leased(lane), name)
    redis.call('ZREM', handed(lane), name)
  end
  redis.call('HDEL', JOBS, name)
end

-- Count one more new call, written one or parked job of this minute: a hash for each hour, for the charts (traffic.py).
local TRAFFIC_KEPT_S = 25 * 3600
local function count_traffic(what, now)
  local minute = math.floor(now / 60000)
  local name = (string.gsub(JOBS, 'jobs$', 'traffic:')) .. math.floor(minute / 60)
  local field = what .. ':' .. minute % 60
  if redis.call('HINCRBY', name, field, 1) == 1 then redis.call('EXPIRE', name, TRAFFIC_KEPT_S) end
end

-- End a hold. Where it was late, the job may be on its way to another worker by now: that one is not to run it
-- before the time that is about to be set.
local function release(name, job)
  redis.call('ZREM', leased(job.lane), name)
  redis.call('ZREM', handed(job.lane), name)
end

-- Put a job into a better lane. One that is held moves with its lease, so that what its run leaves to be done
-- is done in that lane; one on its way to a worker may be fetched anew.
local function lift(name, job, lane)
  for _, set in ipairs({due, leased}) do
    local score = redis.call('ZSCORE', set(job.lane), name)
    redis.call('ZREM', set(job.lane), name)
    if score then redis.call('ZADD', set(lane), score, name) end
  end
  redis.call('ZREM', handed(job.lane), name)
  job.lane = lane
end

-- Have a job looked at, at `at` or sooner. Held by a worker: it runs once more after this run, since
-- what was just learnt may have come too late for it. Backing off after a failure: keeps its time, as
-- news does not make a broken service whole. Parked: stays parked, a person decides.
local function mark_due(name, lane, at, now)
  local job = job_of(name)
  if redis.call('ZSCORE', PARKED, name) then
    return
  end
  if not job then
    job = {lane = lane, attempts = 0, deliveries = 0, since = now}
  end
  if lane < job.lane then lift(name, job, lane) end
  -- Also where the lease ran out: until another has claimed the job, the late holder may still end it.
  if job.token then job.again_at = math.min(job.again_at or at, at) end
  if lease_end(name, job) > now then
    save(name, job)
    return
  end
  local score = redis.call('ZSCORE', due(job.lane), name)
  save(name, job)
  if score then
    score = tonumber(score)
    if job.attempts > 0 or score <= at then at = score end
  end
  redis.call('ZADD', due(job.lane), at, name)
  if at <= now then redis.call('PUBLISH', WAKE, job.lane) end
end

-- Whether `token` still holds the job; every write of a worker is fenced by this.
local function holds(name, token)
  local job = job_of(name)
  if job and job.token == token then return job end
  return nil
end

-- Longer than any log has to be kept, for one whose call is not on record.
local LONGEST_KEPT_S = 400 * 86400

-- A log lives as long as the record of its call.
local function note_down(log, now, what, more)
  if log == '' then return end
  redis.call('LPUSH', log, cjson.encode({at = now, what = what, more = more}))
  redis.call('LTRIM', log, 0, 199)
  local kept = redis.call('TTL', (string.gsub(log, ':log:', ':call:', 1)))
  redis.call('EXPIRE', log, kept > 0 and kept or LONGEST_KEPT_S)
end

-- What lists show of a call has changed: its entry in the search index is to be looked at (update_calls.lua). Without
-- an index there is nothing to look at.
local function changes_in_lists(record)
  -- Text messages are no calls.
  if string.find(record, ':call:message:', 1, true) then return end
  local base = string.gsub(JOBS, 'jobs$', 'find')
  if redis.call('EXISTS', base) == 0 then return end
  redis.call('HINCRBY', base .. ':changed', (string.gsub(record, '^.-:call:', '', 1)), 1)
end

-- Wipe what the search index says of a call (bridge/ledger/search/entries.py), in all its entries.
local function erase_from_index(base, part)
  redis.call('HDEL', base .. ':changed', part)
  local kind, name = string.match(part, '^(%a+):(.*)$')
  local hex = kind == 'uuid' and string.gsub(name, '-', '') or string.sub(name .. string.rep('f', 32), 1, 32)
  local k = string.gsub(hex, '%x%x', function(byte) return string.char(tonumber(byte, 16)) end)
  k = k .. (kind == 'uuid' and 'u' or 'i')
  local function wipe_line(column, n)
    local text, from = redis.call('GET', column) or '', 1
    for _ = 1, n do from = (string.find(text, '\n', from, true) or #text) + 1 end
    local to = (string.find(text, '\n', from, true) or from) - 1
    if to >= from then redis.call('SETRANGE', column, from - 1, string.rep(' ', to - from + 1)) end
  end
  for _, chunk in ipairs(redis.call('ZRANGE', base .. ':chunks', 0, -1)) do
    local own = base .. ':' .. chunk .. ':'
    local column = redis.call('GET', own .. 'k') or ''
    local at = string.find(column, k, 1, true)
    while at do
      if (at - 1) % #k == 0 then
        local n = (at - 1) / #k
        wipe_line(own .. 'd', n)
        wipe_line(own .. 'n', n)
        for name, size in pairs({k = #k, f = 1, a = 1, r = 1, w = 4, c = 8}) do
          redis.call('SETRANGE', own .. name, n * size, string.rep('\0', size))
        end
      end
      at = string.find(column, k, at + 1, true)
    end
  end
end

-- What is remembered of a call that was forgotten: no id, only what an id can be compared with.
local function forgotten_mark(secret, text) return redis.sha1hex(secret .. '|' .. text) end

-- Every service or operation that jobs may wait for, or were refused: `cloudtalk`, `kustomer:note`. SCOPES has those
-- that were ever met; an earlier version listed them in `connections` alone.
local function all_scopes(base)
  local found = {cloudtalk = true, kustomer = true}
  for _, scope in ipairs(redis.call('SMEMBERS', base .. 'scopes')) do found[scope] = true end
  for _, scope in ipairs(redis.call('HKEYS', base .. 'connections')) do found[scope] = true end
  return found
end

-- Take a job off every list of those that wait or were refused, and off the scope that it was to probe.
local function leave_scopes(base, scopes, name)
  for scope in pairs(scopes) do
    redis.call('ZREM', base .. 'paused:' .. scope, name)
    redis.call('SREM', base .. 'refused:' .. scope, name)
    local down = redis.call('HGET', base .. 'connections', scope)
    local told = down and cjson.decode(down)
    if told and told.probe == name then
      told.probe = ''
      redis.call('HSET', base .. 'connections', scope, cjson.encode(told))
    end
  end
end

-- Its entry among the calls of its number, and what later calls of its customer were to be put into.
local function erase_from_people(base, part)
  local record = base .. 'call:' .. part
  local caller, customer, conversation = unpack(redis.call(
    'HMGET', record, FIELD.INDEXED, FIELD.SHARED, FAMILY.OUTPUT .. 'conversation'))
  if caller then redis.call('HDEL', base .. 'caller:' .. caller, part) end
  redis.call('ZREM', base .. 'missed:open', part)
  if customer then redis.call('DEL', base .. 'talk:of:' .. customer) end
  if conversation then redis.call('HDEL', base .. 'talk:' .. cjson.decode(conversation).id, 'call:' .. part) end
end

-- Remove everything that is kept of a call under these ids, and remember that it is not to come back under any
-- of them. `marks` is a sorted set: mark -> since when. A job that runs for the call loses its hold.
-- What the newest audits found of a call; a few hundred lines each.
local function erase_from_audits(base, uuid, number)
  for _, audit in ipairs(redis.call('LRANGE', base .. 'audits', 0, -1)) do
    local list = base .. 'audit:' .. audit .. ':items'
    for _, item in ipairs(redis.call('LRANGE', list, 0, -1)) do
      local function has(text) return string.find(item, text, 1, true) end
      local is_number = number ~= '' and (has('"call_id":' .. number .. ',') or has('call ' .. number .. ':'))
      if is_number or (uuid ~= '' and has(uuid)) then
        redis.call('LREM', list, 0, item)
      end
    end
  end
end

-- Its deliveries among the newest, of which the names stand in a list of at most a hundred (received.lua).
local function erase_from_received(base, part)
  for _, text in ipairs(redis.call('LRANGE', base .. 'received', 0, -1)) do
    if cjson.decode(text)[3] == part then redis.call('LREM', base .. 'received', 0, text) end
  end
end

-- Remove a job wherever it is named. One that runs loses its hold.
local function erase_job(base, scopes, name)
  redis.call('ZREM', PARKED, name)
  for _, run in ipairs(redis.call('LRANGE', base .. 'replays', 0, -1)) do
    for _, list in ipairs({':left', ':phase', ':failed'}) do
      redis.call('LREM', base .. 'replay:' .. run .. list, 0, name)
    end
  end
  leave_scopes(base, scopes, name)
  for _, service in ipairs({'cloudtalk', 'kustomer', 'kustomer-search'}) do
    -- Its place in the queue for the service's budget (planner.lua).
    local budget = base .. 'budget:' .. service
    local place = redis.call('ZSCORE', budget .. ':booked', name)
    if place then
      redis.call('ZREM', budget .. ':booked', name)
      redis.call('ZREMRANGEBYSCORE', budget .. ':places', place, place)
    end
  end
  drop(name)
end

local function erase(uuid, number, marks, secret, now)
  local base = string.gsub(JOBS, 'jobs$', '')
  if number == '' then number = redis.call('HGET', base .. 'call:uuid:' .. uuid, FIELD.ID) or '' end
  if uuid == '' then uuid = redis.call('HGET', base .. 'call:id:' .. number, FIELD.UUID) or '' end
  local is_made_up = string.find(uuid, SYNTHETIC, 1, true) == 1
  local scopes, parts = all_scopes(base), {}
  if uuid ~= '' then parts[1] = 'uuid:' .. uuid end
  if number ~= '' then parts[#parts + 1] = 'id:' .. number end
  for _, part in ipairs(parts) do
    for _, kind in ipairs(KINDS_OF_CALLS) do erase_job(base, scopes, kind .. '|' .. part) end
    redis.call('ZREM', base .. 'calls', part)
    erase_from_people(base, part)
    erase_from_index(base .. 'find', part)
    for _, what in ipairs({'call:', 'events:', 'log:'}) do redis.call('DEL', base .. what .. part) end
    -- A call that the bridge made up is nobody's: no mark is left of it.
    if not is_made_up then redis.call('ZADD', marks, 'NX', now, forgotten_mark(secret, part)) end
    erase_from_audits(base, uuid, number)
    erase_from_received(base, part)
    -- Both ids are known: another call that a template gives the same number is told apart from this one.
    if #parts == 2 then redis.call('ZADD', marks, 'NX', now, forgotten_mark(secret, 'joined:' .. part)) end
  end
end
