-- Take a job for as long as a lease lasts.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   call:<key>   the record of the job's call, for the number it is also known by
--      16   log:<key>
-- ARGV 1 job name   2 token   3 lease, ms   4 deliveries without an end after which it is parked
--      5 kind of the job   6 '1': answer the call's record, too
--      7 pauses in ms, with blanks between: before the run that follows one, two, ... deliveries without an end
-- Answers {claimed, attempts, now, lane, number of the call or '', trace of its last webhook or '', record...} or
-- {gone | early | busy | parked}. The record: fields and events, each as HGETALL has them, and the same of the
-- part that is kept under the call's number, where there is one.
--
-- Guarantees: one holder at a time, also while two records of one call become one; every delivery is
-- counted before the job runs, so that one which kills its worker is parked as well. The pauses keep apart the jobs
-- that ended together with a worker, so that the one which ended it is found, and are longer than most outages that
-- kill workers for another reason.
local name, token = ARGV[1], ARGV[2]
local now = now_ms()
local job = job_of(name)
if not job then return {'gone'} end
local number, trace = unpack(redis.call('HMGET', KEYS[15], FIELD.ID, FIELD.TRACE))
local function claimed()
  local answer = {'claimed', job.attempts, now, job.lane, number or '', trace or ''}
  if ARGV[6] ~= '1' then return answer end
  local parts = {(string.gsub(KEYS[15], '^.-:call:', ''))}
  if number and string.sub(parts[1], 1, 5) == 'uuid:' then parts[2] = 'id:' .. number end
  for _, part in ipairs(parts) do
    answer[#answer + 1] = redis.call('HGETALL', ROOT .. 'call:' .. part)
    answer[#answer + 1] = redis.call('HGETALL', ROOT .. 'events:' .. part)
  end
  return answer
end
if redis.call('ZSCORE', PARKED, name) then return {'parked'} end
if lease_end(name, job) > now then
  -- The same claim once more, as its reply got lost.
  if job.token == token then return claimed() end
  -- That a held job is due only when its lease ends says the same (and no test can tell them apart). It stays:
  -- that there is one holder is not to hang on two sorted sets agreeing.
  return {'busy'}
end
local score = tonumber(redis.call('ZSCORE', due(job.lane), name) or 0)
local on_its_way = redis.call('ZREM', handed(job.lane), name) == 1
if score > now and not on_its_way then return {'early'} end

if number then
  if not trace then trace = redis.call('HGET', ROOT .. 'call:id:' .. number, FIELD.TRACE) end
  local other = ARGV[5] .. '|id:' .. number
  local twin = other ~= name and job_of(other)
  local twin_ends = lease_end(other, twin)
  if twin and twin_ends > now then
    redis.call('ZADD', due(job.lane), twin_ends, name)
    return {'busy'}
  end
  -- Its worker may wake up late, and must find then that the call is not its own any more.
  if twin and twin.token then
    leave_open(twin)
    save(other, twin)
  end
end

local open, pause = job.deliveries, 0
for text in string.gmatch(ARGV[7], '%d+') do
  if open > 0 then open, pause = open - 1, tonumber(text) end
end
-- From half to one and a half of it, by the token of the last run.
local ended_at = lease_end(name, job)
local share = 0.5 + (tonumber(string.match(job.token or '', '^%x%x%x%x') or '8000', 16)) / 65536
local until_ms = ended_at + math.floor(pause * share)
if job.deliveries < tonumber(ARGV[4]) and ended_at > 0 and now < until_ms then
  -- The late holder may still end it.
  job.cause, job.error = 'crashed', 'a worker ended while it ran, ' .. job.deliveries .. ' times'
  save(name, job)
  redis.call('ZADD', due(job.lane), until_ms, name)
  return {'early'}
end

leave_open(job)
if job.deliveries >= tonumber(ARGV[4]) then
  job.cause, job.error = 'crashed', 'delivered ' .. job.deliveries .. ' times without an end'
  save(name, job)
  redis.call('ZREM', due(job.lane), name)
  redis.call('ZREM', leased(job.lane), name)
  redis.call('ZADD', PARKED, now, name)
  count_traffic('parked', now)
  note_down(KEYS[16], now, 'parked', job.error)
  return {'parked'}
end
job.deliveries = job.deliveries + 1
job.token = token
job.again_at = nil
save(name, job)
redis.call('ZADD', leased(job.lane), now + tonumber(ARGV[3]), name)
redis.call('ZADD', due(job.lane), now + tonumber(ARGV[3]), name)
return claimed()
