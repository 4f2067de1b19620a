-- Book replies to requests that were taken out of the budget.
--
-- KEYS 1-17 as in planner.lua
-- ARGV 1-2 as in planner.lua   3... replies, see `book_reply`
-- Answers 1. Guarantees: takes one place for one request, also when it is booked twice.
settle()
book_replies(3)
call_forward()
return 1
