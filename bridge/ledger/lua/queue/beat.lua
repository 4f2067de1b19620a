-- Say that a process runs.
--
-- KEYS 1 processes   hash: name -> "<seen at, ms since 1970> <JSON>"
-- ARGV 1 name   2 JSON   3 for how long it counts as running, ms   4 how many are kept
-- Answers nothing. Guarantees: those that have not said so for that long go, and the whole hash with the last one; it never
-- holds more than it may, whoever starts processes.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local entries = redis.call('HGETALL', KEYS[1])
local kept, known = 0, false
for i = 1, #entries, 2 do
  if now - tonumber(string.match(entries[i + 1], '^%d+')) > tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], entries[i])
  else
    kept = kept + 1
    known = known or entries[i] == ARGV[1]
  end
end
if known or kept < tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return now
