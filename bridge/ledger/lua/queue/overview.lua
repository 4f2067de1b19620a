-- How the ledgers of several accounts stand.
--
-- KEYS for each account: its due sets, one a lane; its parked jobs; its held webhooks; its meta
-- ARGV 1 the field of meta that has the time of the last webhook
-- Answers for each account {jobs whose time has come, for how many ms the first of them, parked, held, last webhook or ''}.
local now, answer, each = now_ms(), {}, LANES + 3
for at = 1, #KEYS, each do
  local due, longest = 0, 0
  for lane = 0, LANES - 1 do
    local first = redis.call('ZRANGEBYSCORE', KEYS[at + lane], '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)
    if first[2] then
      due = due + redis.call('ZCOUNT', KEYS[at + lane], '-inf', now)
      longest = math.max(longest, now - tonumber(first[2]))
    end
  end
  answer[#answer + 1] = {
    due,
    longest,
    redis.call('ZCARD', KEYS[at + LANES]),
    redis.call('HLEN', KEYS[at + LANES + 1]),
    redis.call('HGET', KEYS[at + LANES + 2], ARGV[1]) or '',
  }
end
return answer
