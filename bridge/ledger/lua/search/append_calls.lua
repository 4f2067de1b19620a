-- Put calls into the search index (bridge/ledger/search/).
--
-- KEYS 1 find   hash: what is in the index. All its other keys begin with this name.
-- ARGV 1 side: 'hi' newer calls, 'lo' older ones   2 how far that side has come, as it was read   3 how far it comes now
--      4 how many calls a chunk takes   5 how many texts a dictionary takes   6 buckets   7 how many calls these are
--      8 score of the newest   9, 10 the earliest and the latest time of these, s since 1970
--      11-16 columns k, d, n, f, w, c (entries.py)   then for each call agent, reason
-- Answers 1, or 0 if that side has come further meanwhile: then nothing was added.
--
-- Guarantees: each chunk covers a range of scores of its own, so the newest score of each chunk is their order. A full
-- chunk is written anew once, as what is appended to takes up to twice its size.
local base, side, count = KEYS[1], ARGV[1], tonumber(ARGV[7])
if redis.call('HGET', base, side) ~= ARGV[2] then return 0 end
redis.call('HSET', base, side, ARGV[3])
if count == 0 then return 1 end
local COLUMNS = {'k', 'd', 'n', 'f', 'w', 'c', 'a', 'r'}

local function bucket(kind, text)
  if text == '' then return 0 end
  if text == '*' then return tonumber(ARGV[6]) + 1 end
  local dictionary = base .. ':' .. kind
  local number = tonumber(redis.call('HGET', dictionary, text) or 0)
  if number == 0 then
    if redis.call('HLEN', dictionary) >= tonumber(ARGV[5]) then return tonumber(ARGV[6]) + 1 end
    number = redis.call('HINCRBY', base, kind, 1)
    redis.call('HSET', dictionary, text, number)
  end
  return (number - 1) % tonumber(ARGV[6]) + 1
end

local chunk = redis.call('HGET', base, 'open:' .. side)
local held, earliest, latest = 0, tonumber(ARGV[9]), tonumber(ARGV[10])
if chunk then
  local told = redis.call('HGET', base .. ':info', chunk)
  local n, from, to = string.match(told or '', '^(%d+) (%d+) (%d+)$')
  held = tonumber(n or ARGV[4])
  if held < tonumber(ARGV[4]) then
    earliest, latest = math.min(earliest, tonumber(from)), math.max(latest, tonumber(to))
  else
    for _, name in ipairs(COLUMNS) do
      local column = base .. ':' .. chunk .. ':' .. name
      redis.call('SET', column, redis.call('GET', column) or '')
    end
    chunk = nil
  end
end
if not chunk then
  chunk, held = side .. redis.call('HINCRBY', base, 'chunks', 1), 0
  redis.call('HSET', base, 'open:' .. side, chunk)
end
local agents, reasons = {}, {}
for i = 1, count do
  agents[i] = string.char(bucket('agents', ARGV[15 + 2 * i]))
  reasons[i] = string.char(bucket('reasons', ARGV[16 + 2 * i]))
end
local values = {ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16], table.concat(agents), table.concat(reasons)}
for i, name in ipairs(COLUMNS) do redis.call('APPEND', base .. ':' .. chunk .. ':' .. name, values[i]) end
redis.call('HSET', base .. ':info', chunk, string.format('%d %.0f %.0f', held + count, earliest, latest))
if side == 'hi' or held == 0 then redis.call('ZADD', base .. ':chunks', ARGV[8], chunk) end
return 1
