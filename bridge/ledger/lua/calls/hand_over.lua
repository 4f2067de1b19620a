-- Let an earlier missed call lead the item of a later one, of which the bridge heard first.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   call:<key>   of the call that leads from now on   16 call:<key>   of the one that led
--      17   caller:<number>   see caller.lua   18 missed:open
-- ARGV 1 job name   2 token   3 key of the new leader   4 key of the former one   5 '1': its note stays its own
--      6 retention, s   then field, text, text, ...: what the former leader's record has of a field that is encrypted for
--      that record, and the same for the new leader's
-- Answers 1; 0 when the job is not held any more, 2 where the former leader has written no conversation, 3 where its
-- record is packed (packed.py), 4 where one of those fields was written meanwhile: then nothing was changed.
--
-- Guarantees: what is in Kustomer is on one record at any time. All members of the item name the new leader.
local job = holds(ARGV[1], ARGV[2])
if not job then return 0 end
if redis.call('HEXISTS', KEYS[16], FAMILY.OUTPUT .. 'conversation') == 0 then return 2 end
if redis.call('HEXISTS', KEYS[16], FIELD.PACKED) == 1 then return 3 end
local moved = {}
for n = 7, #ARGV, 3 do
  if redis.call('HGET', KEYS[16], ARGV[n]) ~= ARGV[n + 1] then return 4 end
  moved[ARGV[n]] = ARGV[n + 2]
end
local now = now_ms()
local names = {'conversation'}
if ARGV[5] ~= '1' then names[2], names[3] = 'note', 'later' end
for _, name in ipairs(names) do
  for _, family in ipairs({FAMILY.OUTPUT, FAMILY.INTENT, FAMILY.CHANGE}) do
    local text = redis.call('HGET', KEYS[16], family .. name)
    if text then
      redis.call('HSET', KEYS[15], family .. name, moved[family .. name] or text)
      redis.call('HDEL', KEYS[16], family .. name)
    end
  end
end
for _, name in ipairs({FIELD.CLOSED, FAMILY.COUNTED .. 'call_back'}) do
  local text = redis.call('HGET', KEYS[16], name)
  if text then redis.call('HSET', KEYS[15], name, moved[name] or text) end
  redis.call('HDEL', KEYS[16], name)
end
redis.call('EXPIRE', KEYS[15], ARGV[6])
local flat = redis.call('HGETALL', KEYS[17])
for n = 1, #flat, 2 do
  local told = cjson.decode(flat[n + 1])
  if told.i == ARGV[4] then
    told.i = ARGV[3]
    redis.call('HSET', KEYS[17], flat[n], cjson.encode(told))
  end
end
redis.call('ZREM', KEYS[18], ARGV[4])
mark_due('sync|' .. ARGV[4], job.lane, now, now)
return 1
