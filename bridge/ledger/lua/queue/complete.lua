-- End a run of a job: done, or to be looked at again.
--
-- KEYS 1-14 as in prelude.lua
--      15   call:<key>   16 log:<key>
-- ARGV 1 job name   2 token   3 ms until it wants to run again, or -1   4 text for the log or ''
--      5 kind of the job
-- Answers {done | again | lost}.
--
-- Guarantees: only the holder can end it. Something learnt since it was claimed makes it due now.
local name, now = ARGV[1], now_ms()
local job = holds(name, ARGV[2])
if not job then return {'lost'} end
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
