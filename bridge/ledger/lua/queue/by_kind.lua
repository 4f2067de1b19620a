-- The queue's numbers by lane and kind of job, and what is parked by kind and cause, at one instant.
--
-- KEYS 1-14 as in front/jobs.lua
-- ARGV 1 how many jobs of a set are looked at
-- Answers JSON {lanes = [{kind = [due, overdue, waiting, running, time of the oldest due or 0]}], now = …,
-- parked = {"kind|cause" = number}, unread = number of parked jobs beyond those looked at}.
--
-- Guarantees: costs no more than ARGV[1] jobs a set, however long the queue is. Of the due sets these are the
-- ones due first, of the parked the newest.
local most, now = tonumber(ARGV[1]), now_ms()
local answer = {lanes = {}, now = now, parked = {}}

local function members(set, from)
  return redis.call('ZRANGEBYSCORE', set, from, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
end

for lane = 1, LANES do
  local kinds = {}
  local function of(name)
    local kind = string.match(name, '^[^|]+') or '?'
    kinds[kind] = kinds[kind] or {0, 0, 0, 0, 0}
    return kinds[kind]
  end
  local found, seen = members(due(lane), '-inf'), {}
  for i = 1, #found, 2 do
    local numbers, at = of(found[i]), tonumber(found[i + 1])
    if at <= now then
      numbers[1] = numbers[1] + 1
      if at <= now - 5000 then numbers[2] = numbers[2] + 1 end
      if numbers[5] == 0 then numbers[5] = at end
    else
      numbers[3] = numbers[3] + 1
      seen[found[i]] = true
    end
  end
  -- What is held, or on its way to a worker, is in the due set too, for later.
  for state, set in pairs({[4] = leased(lane), [1] = handed(lane)}) do
    found = members(set, '(' .. now)
    for i = 1, #found, 2 do
      local numbers = of(found[i])
      numbers[state] = numbers[state] + 1
      if seen[found[i]] then numbers[3] = numbers[3] - 1 end
    end
  end
  answer.lanes[lane] = kinds
end

local names = redis.call('ZREVRANGE', PARKED, 0, most - 1)
for first = 1, #names, 500 do
  local some = {unpack(names, first, math.min(first + 499, #names))}
  for i, text in ipairs(redis.call('HMGET', JOBS, unpack(some))) do
    local cause = text and string.match(text, '"cause":"([^"\\]*)"') or 'unknown'
    local name = string.match(some[i], '^[^|]+') .. '|' .. cause
    answer.parked[name] = (answer.parked[name] or 0) + 1
  end
end
answer.unread = redis.call('ZCARD', PARKED) - #names
return cjson.encode(answer)
