-- For scripts that take deliveries in: which ones came last, for the listener of the set-up page.
--
-- The list names events, it does not hold them: what is removed with its call, or dropped, is not shown either.
-- At most twice RECEIVED_MOST stand in it, until a day after the last new call.

local RECEIVED_MOST = 50
local RECEIVED_FOR_S = 86400

-- JSON; none of these has what it would escape. `now`: as a text.
local function received_line(now, fingerprint, part, answer)
  return '[' .. now .. ',"' .. fingerprint .. '","' .. part .. '","' .. answer .. '"]'
end

-- `is_kept`: the list's time need not be set anew, as others come and do so.
local function list_received(list, lines, is_kept)
  local length = redis.call('LPUSH', list, unpack(lines))
  if length >= 2 * RECEIVED_MOST then redis.call('LTRIM', list, 0, RECEIVED_MOST - 1) end
  if length == #lines or not is_kept then redis.call('EXPIRE', list, RECEIVED_FOR_S) end
end

local function note_received(list, now, fingerprint, part, answer)
  list_received(list, {received_line(string.format('%.0f', now), fingerprint, part, answer)})
end
