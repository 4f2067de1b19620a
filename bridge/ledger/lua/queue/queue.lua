-- The queue's own numbers, at one instant.
--
-- KEYS 1-14 as in front/jobs.lua
-- Answers, for each lane, {due, overdue, waiting, running, time of the oldest due or 0}; then now.
-- due: its time has come and nobody holds it (one on its way to a worker is still due); overdue: due for
-- more than 5 s; waiting: scheduled for later; running: held by a live lease.
local now, answer = now_ms(), {}
for lane = 1, LANES do
  local running = redis.call('ZCOUNT', leased(lane), '(' .. now, '+inf')
  local on_its_way = redis.call('ZCOUNT', handed(lane), '(' .. now, '+inf')
  local past = redis.call('ZCOUNT', due(lane), '-inf', now)
  local later = redis.call('ZCOUNT', due(lane), '(' .. now, '+inf')
  local first = redis.call('ZRANGEBYSCORE', due(lane), '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)
  answer[lane] = {
    past + on_its_way,
    redis.call('ZCOUNT', due(lane), '-inf', now - 5000),
    math.max(0, later - running - on_its_way),
    running,
    tonumber(first[2] or 0),
  }
end
answer[LANES + 1] = now
return answer
