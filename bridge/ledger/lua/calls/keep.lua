-- Write down what a job is about to do, or has done, in the record of its call.
--
-- KEYS 1-14 as in front/jobs.lua
--      15   call:<key>   16 log:<key>   17 counts   18 measures
-- ARGV 1 job name   2 token   3 retention, s   4 text for the log or ''
--      5 milestones, JSON [{mark, name, trace, since or took?, edges?}], or ''   then field, value, ... ('' deletes)
-- Answers 1, or 2 where something was learned since the job was claimed, which runs once more for it; 0 when the job
-- is not held any more: then nothing was written, and nothing may be sent.
--
-- Guarantees: a new output or upload form is a step on the way: deliveries are counted anew from this one, so
-- that a job whose workers are killed for no fault of its own is not given up while it gets on. Only so many
-- times before it ends, so that one which kills its workers is given up all the same. A milestone is counted with
-- what is written, and once a call: its mark stays in the record.
local STEPS, MOST_STEPS = {[FAMILY.OUTPUT] = true, [FAMILY.FORM] = true}, 5
local job = holds(ARGV[1], ARGV[2])
if not job then return 0 end
local now, stepped, shows = now_ms(), false, false
for i = 6, #ARGV, 2 do
  shows = shows or ARGV[i] == FIELD.STATE or ARGV[i] == FAMILY.OUTPUT .. 'conversation'
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[15], ARGV[i])
  else
    local is_new = redis.call('HSET', KEYS[15], ARGV[i], ARGV[i + 1]) == 1
    stepped = stepped or (is_new and STEPS[string.match(ARGV[i], '^%a+:') or ''])
  end
end
if stepped and job.deliveries > 1 and (job.steps or 0) < MOST_STEPS then
  job.deliveries, job.steps, job.open_runs = 1, (job.steps or 0) + 1, nil
  save(ARGV[1], job)
end

-- See measures.py.
local function measure(one)
  local seconds = math.max(0, (one.took or now - one.since) / 1000)
  local bucket = 0
  for _, edge in ipairs(one.edges) do
    if seconds > edge then bucket = bucket + 1 end
  end
  redis.call('HINCRBY', KEYS[18], one.name .. '||' .. bucket, 1)
  redis.call('HINCRBY', KEYS[18], one.name .. '||ms', math.floor(seconds * 1000 + 0.5))
  if one.trace ~= '' then
    local value = string.format('["%s",%.3f,%.3f]', one.trace, seconds, now / 1000)
    redis.call('HSET', KEYS[18], one.name .. '||trace:' .. bucket, value)
  end
end

for _, one in ipairs(ARGV[5] ~= '' and cjson.decode(ARGV[5]) or {}) do
  if redis.call('HSETNX', KEYS[15], FAMILY.COUNTED .. one.mark, now) == 1 then
    if one.since or one.took then measure(one) else redis.call('HINCRBY', KEYS[17], one.name, 1) end
  end
end
redis.call('EXPIRE', KEYS[15], ARGV[3])
if shows then changes_in_lists(KEYS[15]) end
if ARGV[4] ~= '' then
  note_down(KEYS[16], now, ARGV[4])
  redis.call('EXPIRE', KEYS[16], ARGV[3])
end
return job.again_at and 2 or 1
