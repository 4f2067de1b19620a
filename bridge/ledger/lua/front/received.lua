-- For scripts that take deliveries in: which ones came last, for the listener of the set-up page.
--
-- The list names events, it does not hold them: what is removed with its call, or dropped, is not shown either.
-- At most twice RECEIVED_MOST stand in it, until a day after the last new call.

local RECEIVED_MOST = 50
local RECEIVED_FOR_S = 86400

-- `is_kept`: the list's time need not be set anew, as others come and do so.
local function note_received(list, now, fingerprint, part, answer, is_kept)
  -- JSON; none of these has what it would escape.
  local text = string.format('[%.0f,"%s","%s","%s"]', now, fingerprint, part, answer)
  local length = redis.call('LPUSH', list, text)
  if length >= 2 * RECEIVED_MOST then redis.call('LTRIM', list, 0, RECEIVED_MOST - 1) end
  if length == 1 or not is_kept then redis.call('EXPIRE', list, RECEIVED_FOR_S) end
end
