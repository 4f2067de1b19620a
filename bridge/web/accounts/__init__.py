"""Many companies behind one web process: each account's webhooks, pages and `/api`, made when first needed.

    front.py       which account an address is of
    receivers.py   what takes an account's webhooks
    sites.py       its pages and `/api`
    kept.py        at most so many of these, the ones that were used last
    numbers.py     how all accounts stand, for the list of accounts and `/metrics`

An account that does not exist answers like one whose token is wrong.
"""
