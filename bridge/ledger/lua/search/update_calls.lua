-- Bring what the search index says of calls up to what their last syncs wrote.
--
-- KEYS 1 find   hash: what is in the index; all its other keys begin with this name
--      2 calls  sorted set: call key -> last time that something was learnt
-- ARGV 1 how many texts a dictionary takes   2 buckets
--      then for each call: key, how often it had changed (find:changed) when it was read, and of its entry
--      k, f, c (entries.py) and the reason
-- Answers how many need no look any more.
--
-- Guarantees: a change that came after the call was read is not lost: it is looked at again. So is a call that is
-- not in the index yet, as it may just be on its way into it.
local base, done = KEYS[1], 0
local changed = base .. ':changed'

local function bucket(kind, text)
  if text == '' then return 0 end
  if text == '*' then return tonumber(ARGV[2]) + 1 end
  local dictionary = base .. ':' .. kind
  local number = tonumber(redis.call('HGET', dictionary, text) or 0)
  if number == 0 then
    if redis.call('HLEN', dictionary) >= tonumber(ARGV[1]) then return tonumber(ARGV[2]) + 1 end
    number = redis.call('HINCRBY', base, kind, 1)
    redis.call('HSET', dictionary, text, number)
  end
  return (number - 1) % tonumber(ARGV[2]) + 1
end

local function update(chunk, k, f, c, reason)
  local name = base .. ':' .. chunk .. ':'
  local column, from = redis.call('GET', name .. 'k') or '', 1
  while true do
    local at = string.find(column, k, from, true)
    if not at then return end
    if (at - 1) % #k == 0 then
      local n = (at - 1) / #k
      redis.call('SETRANGE', name .. 'f', n, f)
      redis.call('SETRANGE', name .. 'c', n * #c, c)
      redis.call('SETRANGE', name .. 'r', n, string.char(bucket('reasons', reason)))
    end
    from = at + 1
  end
end

local hi, lo = tonumber(redis.call('HGET', base, 'hi') or 0), tonumber(redis.call('HGET', base, 'lo') or 0)
for i = 3, #ARGV, 6 do
  local key = ARGV[i]
  local score = tonumber(redis.call('ZSCORE', KEYS[2], key) or -1)
  local is_in = score > lo and score <= hi
  if is_in then
    local chunk = redis.call('ZRANGEBYSCORE', base .. ':chunks', score, '+inf', 'LIMIT', 0, 1)[1]
    if chunk then update(chunk, ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]) end
  end
  if (is_in or score < 0) and redis.call('HGET', changed, key) == ARGV[i + 1] then
    done = done + redis.call('HDEL', changed, key)
  end
end
return done
