-- Try what a webhook does, and leave nothing: learn.lua itself runs above (as `run`), for a call that cannot exist.
--
-- KEYS and ARGV as learn.lua, for one event; both ids are given, and no call has them (rehearsal.py).
-- Answers as learn.lua, or fails as it would: each permission, the memory limit and the disk are met by the very same
-- commands. Guarantees: what was written is removed before anybody can see it, also when it failed half-way.

local worked, answer = pcall(run)
local failed = nil
local function undo(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err and not failed then failed = reply end
end
local newest = redis.pcall('LINDEX', ROOT .. 'received', 0)
if type(newest) == 'string' and cjson.decode(newest)[2] == ARGV[14] then undo('LPOP', ROOT .. 'received') end

local names = {'uuid:' .. ARGV[12], 'id:' .. ARGV[13]}
for _, key in ipairs(names) do
  local name = 'sync|' .. key
  for lane = 1, LANES do
    for _, set in ipairs({due, leased, handed}) do undo('ZREM', set(lane), name) end
  end
  undo('HDEL', JOBS, name)
  undo('ZREM', ROOT .. 'calls', key)
end
for _, what in ipairs({'accepted', 'duplicate', 'forgotten'}) do
  undo('HDEL', ROOT .. 'counts', 'webhook:' .. ARGV[6] .. ':' .. what)
end
for _, key in ipairs(names) do
  for _, what in ipairs({'call:', 'events:', 'log:'}) do undo('DEL', ROOT .. what .. key) end
end

-- Its own error, and as it came: a webhook would get the same error from the server.
if not worked then
  -- Redis 7 and newer, and Valkey: with its code in front. 6.2 has a text, which it wraps as it would.
  if type(answer) == 'table' then return answer end
  if string.match(answer, '^%u+ ') then return redis.error_reply('-' .. answer) end
  error(answer, 0)
end
return failed or answer
