-- Put a part of a call's record into another form, if it is still what was read.
--
-- KEYS 1 call:<key>   2 events:<key>   3 log:<key>
-- ARGV 1 digest of all three as they were read: what HGETALL, HGETALL and LRANGE gave   2 how many of the following
--      are of the first hash   3 how many are of the second   then field, value, ... of both, and the lines of the log
-- Answers 1; 0 where something else was written meanwhile: then nothing was changed.
--
-- Guarantees: nothing is lost that came since it was read. What is kept lives as long as before. The hashes are
-- written anew, so that Redis keeps them in its compact form again, which a long value ended.
local function text_of(words) return table.concat(words, '\0') end

local seen = redis.sha1hex(text_of(redis.call('HGETALL', KEYS[1])) .. '\1' ..
  text_of(redis.call('HGETALL', KEYS[2])) .. '\1' .. text_of(redis.call('LRANGE', KEYS[3], 0, -1)))
if seen ~= ARGV[1] then return 0 end

local function put(command, name, from, to, left)
  redis.call('DEL', name)
  for i = from, to, 100 do redis.call(command, name, unpack(ARGV, i, math.min(i + 99, to))) end
  if left > 0 and from <= to then redis.call('PEXPIRE', name, left) end
end

local first_end = 3 + tonumber(ARGV[2])
local second_end = first_end + tonumber(ARGV[3])
local left = redis.call('PTTL', KEYS[1])
put('HSET', KEYS[1], 4, first_end, left)
put('HSET', KEYS[2], first_end + 1, second_end, redis.call('PTTL', KEYS[2]))
put('RPUSH', KEYS[3], second_end + 1, #ARGV, left)
return 1
