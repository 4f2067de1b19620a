-- What scripts that work on jobs share. Each gets in front what it uses of this folder (scripts.py).
--
-- KEYS 1-14 name for Redis what the functions below spell themselves:
--      1-4    due:<lane>      sorted sets: when a job is to be looked at (ms since 1970), lanes by priority
--      5-8    leased:<lane>   sorted sets: until when a worker holds a job
--      9-12   handed:<lane>   sorted sets: until when a job handed to a worker process may be on its way
--      13     jobs            hash: job name -> JSON {lane, attempts, deliveries, steps, open_runs, token, again_at,
--                             error, ...}
--      14     parked          sorted set: since when a job waits for a person
-- Names in capitals are values that Python knows, put in by scripts.py: ROOT, what all keys begin with; KINDS_OF_CALLS,
-- the kinds of jobs that a call may have; FIELD, FAMILY and STATE, the names in a call's record.
-- A line that begins with `accounts:` is code in the scripts of named accounts alone: a worker of many is told when
-- something is due later, as it does not look at each of them every second (tags.py).
-- All keys carry one hash tag, so that they live in one slot of a cluster. Times are the server's own:
-- no process's clock is trusted.
--
-- A job that is leased stays in its due set, scored with the end of its lease. Should its worker die,
-- it is due again by itself: there is nothing to rescue and nobody who has to do it.

local LANES = 4

local JOBS = ROOT .. 'jobs'
local PARKED = ROOT .. 'parked'
local WAKE = ROOT .. 'wake'

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

local function lane_name(lane)
  return lane == 1 and 'live' or lane == 2 and 'recording' or lane == 3 and 'insights' or 'backfill'
end

local function due(lane) return ROOT .. 'due:' .. lane_name(lane) end

local function leased(lane) return ROOT .. 'leased:' .. lane_name(lane) end

local function handed(lane) return ROOT .. 'handed:' .. lane_name(lane) end

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

-- End a hold. Where it was late, the job may be on its way to another worker by now: that one is not to run it
-- before the time that is about to be set.
local function release(name, job)
  redis.call('ZREM', leased(job.lane), name)
  redis.call('ZREM', handed(job.lane), name)
end

-- End the hold of a worker whose lease ran out. It may have died of this job: the run stays counted, with its token
-- in open_runs, until that worker says that it lives (hand_back.lua).
local function leave_open(job)
  if job.token then job.open_runs = (job.open_runs or '') .. job.token .. ' ' end
  job.token = nil
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

-- Plan jobs where none of these names is planned: then none is held or parked either.
local function plan_new(names, lane, at, now)
  local since = string.format('%.0f', now)
  local text = '{"lane":' .. lane .. ',"attempts":0,"deliveries":0,"since":' .. since .. '}'
  local jobs, times = {}, {}
  if at == now then at = since end
  for n, name in ipairs(names) do
    jobs[2 * n - 1], jobs[2 * n] = name, text
    times[2 * n - 1], times[2 * n] = at, name
  end
  redis.call('HSET', JOBS, unpack(jobs))
  redis.call('ZADD', due(lane), unpack(times))
  -- Who waits for work is told which job it is, or only that there is work where there are several.
  if tonumber(at) <= now then redis.call('PUBLISH', WAKE, #names == 1 and names[1] or '') end
  -- accounts: if tonumber(at) > now then redis.call('PUBLISH', WAKE, string.format('+%.0f', at - now)) end
end

-- Have a job looked at, at `at` or sooner. Held by a worker: it runs once more after this run, since
-- what was just learnt may have come too late for it. Backing off after a failure: keeps its time, as
-- news does not make a broken service whole. Parked: stays parked, a person decides. `text`: the job's, if it was read.
local function mark_due(name, lane, at, now, text)
  local job = text and cjson.decode(text) or job_of(name)
  if not job then return plan_new({name}, lane, at, now) end
  local score = tonumber(redis.call('ZSCORE', due(job.lane), name) or nil)
  -- It is due by then anyway, and whoever waits for work was told.
  if score and score <= at and not job.token and lane >= job.lane then return end
  if redis.call('ZSCORE', PARKED, name) then
    return
  end
  if lane < job.lane then lift(name, job, lane) end
  -- Also where the lease ran out: until another has claimed the job, the late holder may still end it.
  if job.token then job.again_at = math.min(job.again_at or at, at) end
  save(name, job)
  if lease_end(name, job) > now then
    return
  end
  if score and (job.attempts > 0 or score <= at) then at = score end
  redis.call('ZADD', due(job.lane), at, name)
  if at <= now then redis.call('PUBLISH', WAKE, name) end
  -- accounts: if at > now then redis.call('PUBLISH', WAKE, string.format('+%.0f', at - now)) end
end

-- Whether `token` still holds the job; every write of a worker is fenced by this.
local function holds(name, token)
  local job = job_of(name)
  if job and job.token == token then return job end
  return nil
end
