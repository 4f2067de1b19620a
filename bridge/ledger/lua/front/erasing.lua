-- What a call leaves behind when it is forgotten, and how each of it is removed.

-- What is remembered of a call that was forgotten: no id, only what an id can be compared with.
local function forgotten_mark(secret, text) return redis.sha1hex(secret .. '|' .. text) end

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
        if redis.call('GETRANGE', own .. 'd', 0, 5) == '\0enc1\0' then
          -- Encrypted (search/hidden.py): who has the key wipes it, and knows by the wiped key what is to go.
          redis.call('SADD', base .. ':wipe', chunk)
        else
          wipe_line(own .. 'd', n)
          wipe_line(own .. 'n', n)
        end
        for name, size in pairs({k = #k, f = 1, a = 1, r = 1, w = 4, c = 8}) do
          redis.call('SETRANGE', own .. name, n * size, string.rep('\0', size))
        end
      end
      at = string.find(column, k, at + 1, true)
    end
  end
end

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

-- Remove everything that is kept of a call under these ids, and remember that it is not to come back under any
-- of them. `marks` is a sorted set: mark -> since when. A job that runs for the call loses its hold.
local function erase(uuid, number, marks, secret, now)
  local base = ROOT
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
