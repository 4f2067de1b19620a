-- Remove what is kept of a call, and remember that it is not to come back.
--
-- KEYS 1-14 as in prelude.lua
--      15, 16 call:<uuid:..>, events:<uuid:..>   17, 18 call:<id:..>, events:<id:..>   (both pairs may be equal)
--      19, 20 log:<uuid:..>, log:<id:..>         21 calls
-- ARGV 1 uuid or ''   2 number or ''   3 how long it is remembered, s
-- Answers 1. Guarantees: all of it or nothing; a job that runs for the call loses its hold, so that what it
-- was about to write down is refused; learn.lua keeps nothing more of this call.
local now = now_ms()
for _, part in ipairs({'uuid:' .. ARGV[1], 'id:' .. ARGV[2]}) do
  for _, kind in ipairs({'sync', 'detail', 'identify', 'recording', 'insights'}) do
    local name = kind .. '|' .. part
    redis.call('ZREM', PARKED, name)
    drop(name)
  end
  redis.call('ZREM', KEYS[21], part)
end
for _, i in ipairs({15, 16, 17, 18, 19, 20}) do redis.call('DEL', KEYS[i]) end
for _, i in ipairs({15, 17}) do
  redis.call('HSET', KEYS[i], 'forgotten', now, 'state', 'skipped', 'reason', 'forgotten on request')
end
if ARGV[1] ~= '' and ARGV[2] ~= '' then
  redis.call('HSET', KEYS[15], 'id', ARGV[2])
  redis.call('HSET', KEYS[17], 'uuid', ARGV[1])
end
for _, i in ipairs({15, 17}) do redis.call('EXPIRE', KEYS[i], ARGV[3]) end
return 1
