-- Keep summaries of calls with their records (bridge/ledger/calls/summary.py).
--
-- KEYS 1 calls   sorted set: call key -> last time that something was learnt
-- ARGV 1 field of the record   then call key, its score, text, ...
-- Answers 1. Guarantees: a summary is kept only with a record that is there, and of which nothing newer was learnt.
for i = 2, #ARGV, 3 do
  local record = ROOT .. 'call:' .. ARGV[i]
  if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or 0) == tonumber(ARGV[i + 1]) and redis.call('EXISTS', record) == 1 then
    redis.call('HSET', record, ARGV[1], ARGV[i + 2])
  end
end
return 1
