-- For scripts that take deliveries in: which ones came last, for the listener of the set-up page.
--
-- The list names events, it does not hold them: what is removed with its call, or dropped, is not shown either.
-- At most twice RECEIVED_MOST stand in it, until a day after the last.

local RECEIVED_MOST = 50
local RECEIVED_FOR_S = 86400

local function note_received(list, now, fingerprint, part, answer)
  local text = cjson.encode({now, fingerprint, part, answer})
  if redis.call('LPUSH', list, text) >= 2 * RECEIVED_MOST then redis.call('LTRIM', list, 0, RECEIVED_MOST - 1) end
  redis.call('EXPIRE', list, RECEIVED_FOR_S)
end
