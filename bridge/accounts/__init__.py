"""Many companies in one deployment: each is an account with settings of its own, in the file that
`CALLBRIDGE_ACCOUNTS` names.

    account.py    an account, and the difference between two sets of them
    file.py       the file -> accounts, and what is wrong with it
    reading.py    one table of the file -> the settings of an account
    choosing.py   the one that a command works on
    source.py     the accounts in force in this process, followed while it runs
"""
