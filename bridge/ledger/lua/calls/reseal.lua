-- Put texts in another form in place of those that stand there.
--
-- KEYS 1 a hash, or a text
-- ARGV for each text: field, or '' where the key itself is the text   text that stands there   new text
-- Answers how many were put there. Guarantees: what was written or removed meanwhile stays as it is, and so does the
-- time at which the key ends.
local done = 0
for n = 1, #ARGV, 3 do
  local field, old, new = ARGV[n], ARGV[n + 1], ARGV[n + 2]
  if field == '' then
    if redis.call('GET', KEYS[1]) == old then
      redis.call('SET', KEYS[1], new, 'KEEPTTL')
      done = done + 1
    end
  elseif redis.call('HGET', KEYS[1], field) == old then
    redis.call('HSET', KEYS[1], field, new)
    done = done + 1
  end
end
return done
