-- Try what a webhook that is held does, and leave nothing: hold.lua itself runs above (as `run`).
--
-- KEYS and ARGV as hold.lua. Answers as hold.lua, or fails as it would. Guarantees: as rehearse_learn.lua.

local worked, answer = pcall(run)
local failed = nil
local function undo(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err and not failed then failed = reply end
end
local newest = redis.pcall('LINDEX', KEYS[4], 0)
if type(newest) == 'string' and cjson.decode(newest)[2] == ARGV[1] then undo('LPOP', KEYS[4]) end
undo('HDEL', KEYS[1], ARGV[1])
undo('ZREM', KEYS[2], ARGV[1])
undo('HDEL', KEYS[3], ARGV[4])
if not worked then
  -- Redis 7 and newer, and Valkey: with its code in front. 6.2 has a text, which it wraps as it would.
  if type(answer) == 'table' then return answer end
  if string.match(answer, '^%u+ ') then return redis.error_reply('-' .. answer) end
  error(answer, 0)
end
return failed or answer
