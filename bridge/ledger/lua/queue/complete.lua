-- End a run of a job: done, or to be looked at again.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   call:<key>   16 log:<key>   17 counts   18 measures   hashes of numbers
-- ARGV 1 job name   2 token   3 ms until it wants to run again, or -1   4 text for the log or ''
--      5 kind of the job   6 retention, s   7 names of counters   8 field and number to add, ... of measures; both
--      with blanks between   then field, value, ... of the call's record ('' deletes; FIELD.SYNCED_AT is set to now)
-- Answers {done | again | lost}.
--
-- Guarantees: only the holder can end it. Something learnt since it was claimed makes it due now.
local name, now = ARGV[1], now_ms()
local job = holds(name, ARGV[2])
if not job then return {'lost'} end
for i = 9, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[15], ARGV[i])
  elseif ARGV[i] == FIELD.SYNCED_AT then
    if redis.call('HSET', KEYS[15], ARGV[i], string.format('%.0f', now)) == 1 then count_traffic('written', now) end
  else
    redis.call('HSET', KEYS[15], ARGV[i], ARGV[i + 1])
  end
end
if #ARGV > 9 then
  redis.call('EXPIRE', KEYS[15], ARGV[6])
  changes_in_lists(KEYS[15])
end
for counter in string.gmatch(ARGV[7], '%S+') do redis.call('HINCRBY', KEYS[17], counter, 1) end
for name, number in string.gmatch(ARGV[8], '(%S+) (%d+)') do redis.call('HINCRBY', KEYS[18], name, number) end
if ARGV[4] ~= '' then note_down(KEYS[16], now, ARGV[4]) end
local again = job.again_at
local wish = tonumber(ARGV[3])
if wish >= 0 then again = math.min(again or now + wish, now + wish) end
release(name, job)

-- The record became part of another while this ran: the rest is that one's job.
local uuid = string.find(name, '|id:', 1, true) and redis.call('HGET', KEYS[15], FIELD.UUID)
if uuid then
  local lane = job.lane
  drop(name, job)
  mark_due(ARGV[5] .. '|uuid:' .. uuid, lane, again or now, now)
  return {'done'}
end
if not again then
  drop(name, job)
  return {'done'}
end
save(name, {lane = job.lane, attempts = 0, deliveries = 0, since = now})
redis.call('ZADD', due(job.lane), again, name)
if again <= now then redis.call('PUBLISH', WAKE, job.lane) end
return {'again'}
