-- Give back the places kept for a run that ended without needing them.
--
-- KEYS 1-15 as in planner.lua
-- ARGV 1-2 as in planner.lua   3 who had them
-- Answers 1. Guarantees: the first of those who wait are called for them at once.
settle()
cancel(ARGV[3])
call_forward()
return 1
