-- Remove what is kept of a contact, and remember that it is not to come back.
--
-- KEYS 1-14 as in front/jobs.lua
--      15 meta   16 forgotten   sorted set: mark -> since when, ms since 1970   17 contacts
-- ARGV 1 key of the contact   2 what a key for the marks is made of, should there be none yet   3 kind of its jobs
-- Answers 1. Guarantees: as forget.lua.
redis.call('HSETNX', KEYS[15], 'forget_secret', ARGV[2])
local base = ROOT
erase_job(base, all_scopes(base), ARGV[3] .. '|' .. ARGV[1])
for _, what in ipairs({'call:', 'events:', 'log:'}) do redis.call('DEL', base .. what .. ARGV[1]) end
redis.call('ZREM', KEYS[17], ARGV[1])
redis.call('ZADD', KEYS[16], 'NX', now_ms(), forgotten_mark(redis.call('HGET', KEYS[15], 'forget_secret'), ARGV[1]))
return 1
