-- What happened: the log of a call, the search index that is behind, and the numbers of the charts.

-- Count one more new call, written one or parked job of this minute, or `more` of them: a hash for each hour, for the
-- charts (traffic.py). Gives how many were counted in that minute.
local TRAFFIC_KEPT_S = 25 * 3600
local function count_traffic(what, now, more)
  local minute = math.floor(now / 60000)
  local name = ROOT .. 'traffic:' .. math.floor(minute / 60)
  local field = what .. ':' .. minute % 60
  local counted = redis.call('HINCRBY', name, field, more or 1)
  if counted == (more or 1) then redis.call('EXPIRE', name, TRAFFIC_KEPT_S) end
  return counted
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
  if redis.call('EXISTS', ROOT .. 'find') == 0 then return end
  redis.call('HINCRBY', ROOT .. 'find:changed', (string.gsub(record, '^.-:call:', '', 1)), 1)
end
