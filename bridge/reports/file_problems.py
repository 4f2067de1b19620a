"""Problems with the files that people write: rules, secrets, accounts. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.reports.problem import Problem
from bridge.reports.problem_facts import Facts


def rules_file(facts: Facts) -> Iterator[Problem]:
    if facts.rules_wrong:
        yield Problem(
            name="rules-wrong",
            kind="rules-wrong",
            severity="warning",
            says=f"the rules file has a mistake, so the rules before it stay in force ({facts.rules_wrong})",
            do="correct the file, which is read again at once; `callbridge rules check` lists all mistakes",
            page="/rules",
            well="the rules file is in force",
            needs_a_person=True,
        )
    elif len(facts.rules_versions) > 1:
        who = "; ".join(
            f"{version}: {', '.join(kinds)}" for version, kinds in sorted(facts.rules_versions.items())
        )
        yield Problem(
            name="rules-differ",
            kind="rules-differ",
            severity="warning",
            says=f"processes work by different rules ({who})",
            do="give CALLBRIDGE_RULES the same file in all of them",
            page="/rules",
            well="all processes work by the same rules",
        )


def secrets_and_accounts(facts: Facts) -> Iterator[Problem]:
    """Both have the same name, so there is one at a time: once the first is correct, the other shows."""
    if facts.secrets_wrong:
        yield Problem(
            name="secrets-wrong",
            kind="secrets-wrong",
            severity="warning",
            says=f"a secret's file is wrong, so the secret before it stays in force ({facts.secrets_wrong})",
            do="write the file anew, which is read again at once",
            page="/setup",
            well="the files of all secrets are in force",
            needs_a_person=True,
        )
    elif facts.accounts_wrong:
        yield Problem(
            name="secrets-wrong",
            kind="secrets-wrong",
            severity="warning",
            says=f"the accounts file has a mistake; what was in force before stays ({facts.accounts_wrong})",
            do="correct the file, which is read again at once; `callbridge accounts check` lists them all",
            page="/accounts",
            well="the accounts file has no mistake",
            needs_a_person=True,
        )


def encryption_key(facts: Facts) -> Iterator[Problem]:
    if facts.key_missing:
        yield Problem(
            name="key-missing",
            kind="key-missing",
            severity="failure",
            says=f"ENCRYPTION_KEYS does not hold key {facts.key_missing}, so what it encrypted waits unread",
            do="add that key behind the others; `callbridge encryption status` lists what needs it",
            page="/setup",
            well="what is stored can be decrypted again",
            needs_a_person=True,
        )
