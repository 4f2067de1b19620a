-- Give back the places kept for a run that ended without needing them.
--
-- KEYS 1-17 as in planner.lua
-- ARGV 1-2 as in planner.lua   3 who had them   4... replies that are not booked yet, see `book_reply`
-- Answers 1. Guarantees: the first of those who wait are called for them at once.
settle()
book_replies(4)
cancel(ARGV[3])
call_forward()
return 1
