-- Enter a call in the index of its customer's number, and have those missed calls looked at that it changes.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   call:<key>   the call's record
--      16   caller:<number>   hash: key of a call -> JSON {s: start, ms   k: kind   i: key of its item's leader
--           c: start of the contact that closed it, ms, or 0   x: 1 once a person ended its item   ...}
--      17   missed:open   sorted set: keys of missed calls that nobody has answered so far -> start, ms
-- ARGV 1 job name   2 token   3 key of the call   4 its other key or ''   5 its entry; what it leaves out stays
--      6 retention, s   7 most entries of a number   8 most entries of KEYS[17]
--      9 'open' or 'closed': how the missed call stands now; '': not to be said
-- Answers {} when the job is not held any more, else {key, entry, ...}: the whole index after this.
--
-- Guarantees: the entry and the jobs that it makes due come together, so that whatever is killed, no missed call
-- fails to hear of a contact. An entry that says nothing new makes nothing due. Number and age bound the index.
local job = holds(ARGV[1], ARGV[2])
if not job then return {} end
local key, other, now = ARGV[3], ARGV[4], now_ms()
local oldest = now - tonumber(ARGV[6]) * 1000

local of = {}
local flat = redis.call('HGETALL', KEYS[16])
for n = 1, #flat, 2 do of[flat[n]] = cjson.decode(flat[n + 1]) end
local function write(name)
  if of[name] then redis.call('HSET', KEYS[16], name, cjson.encode(of[name])) end
end

-- Entered under its number before its uuid was known.
if other ~= '' and of[other] then
  of[key] = of[key] or of[other]
  of[other] = nil
  redis.call('HDEL', KEYS[16], other)
  redis.call('ZREM', KEYS[17], other)
  for name, told in pairs(of) do
    if told.i == other then
      told.i = key
      write(name)
    end
  end
end

local own, changed = of[key] or {}, false
for name, value in pairs(cjson.decode(ARGV[5])) do
  changed = changed or (own[name] ~= value and not (name == 'c' and value == 0 and not own.c))
  own[name] = value
end
of[key] = own

-- Have the leader of a missed call's item looked at, or the call itself where it has none.
local function wake(name, told)
  local leader = told.i or name
  if leader == key or redis.call('EXISTS', ROOT .. 'call:' .. leader) == 0 then return end
  mark_due('sync|' .. leader, job.lane, now, now)
end

if changed then
  write(key)
  redis.call('HSET', KEYS[15], FIELD.INDEXED, (string.gsub(KEYS[16], '^.-:caller:', '', 1)))
  for name, told in pairs(of) do
    local closed = (of[told.i or name] or told).c or 0
    if own.k == 'contact' and told.k ~= 'contact' and own.s > told.s and (closed == 0 or own.s < closed) then
      wake(name, told)
    end
  end
  if own.k ~= 'contact' then wake(key, own) end
end

local order = {}
for name in pairs(of) do order[#order + 1] = name end
table.sort(order, function(a, b) return of[a].s < of[b].s or (of[a].s == of[b].s and a < b) end)
for n, name in ipairs(order) do
  if (of[name].s < oldest or #order - n >= tonumber(ARGV[7])) and name ~= key then
    redis.call('HDEL', KEYS[16], name)
    redis.call('ZREM', KEYS[17], name)
  end
end
redis.call('EXPIRE', KEYS[16], ARGV[6])

if ARGV[9] == 'open' then
  redis.call('ZADD', KEYS[17], own.s, key)
  redis.call('ZREMRANGEBYSCORE', KEYS[17], '-inf', oldest)
  redis.call('ZREMRANGEBYRANK', KEYS[17], 0, -1 - tonumber(ARGV[8]))
elseif ARGV[9] == 'closed' then
  redis.call('ZREM', KEYS[17], key)
end
return redis.call('HGETALL', KEYS[16])
