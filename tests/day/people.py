"""Who appears in the scripted day: agents, lines, callers. All are invented."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent at CloudTalk.

    Args:
        email: at CloudTalk.
        user: the e-mail of the Kustomer user who is this person; None: Kustomer has nobody.
        deactivated: Kustomer's user has been switched off.
        shared: several people work under this account.
    """

    id: int
    first: str
    last: str
    email: str
    user: str | None
    deactivated: bool = False
    shared: bool = False

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


BO = Agent(id=400101, first="Bo", last="Sample", email="bo.sample@example.com", user="bo.sample@example.com")
CY = Agent(
    id=400102, first="Cy", last="Fictional", email="cy.fictional@example.com", user="cy.fictional@example.com"
)
# Another case, and a part from the plus on that Kustomer's user has not.
DI = Agent(
    id=400103,
    first="Di",
    last="Invented",
    email="Di.Invented+phone@Example.com",
    user="di.invented@example.com",
)
ED = Agent(id=400104, first="Ed", last="Nowhere", email="ed.nowhere@example.com", user=None)
FAY = Agent(
    id=400105,
    first="Fay",
    last="Gone",
    email="fay.gone@example.com",
    user="fay.gone@example.com",
    deactivated=True,
)
GIL = Agent(
    id=400106, first="Front", last="Desk", email="desk@example.com", user="desk@example.com", shared=True
)
# Another domain of the same company.
HAL = Agent(id=400107, first="Hal", last="Moved", email="hal.moved@example.org", user="hal.moved@example.com")
# By the rules' table only.
IDA = Agent(id=400108, first="Ida", last="Listed", email="ida@example.com", user="ida.listed@example.com")

AGENTS = {agent.id: agent for agent in (BO, CY, DI, ED, FAY, GIL, HAL, IDA)}
VOICE_AGENT = "Nova"
# Who answers an ordinary call.
USUAL = (BO, CY)

# The customer for calls of nobody in particular, and the id that the rules file names.
HOUSE, HOUSE_ID = "The house", "5f0c1a2b3c4d5e6f70819203"
TEAMS = ("Sales", "Support")
SUPPORT, SALES = "+15550100101", "+441632960201"

# Blocks of 1000 numbers that Ofcom keeps for fiction; of the first, what begins with 960 2 are lines of ours.
_BLOCKS = ("441134960", "441144960", "441154960", "441164960", "441174960", "441184960")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One caller.

    Args:
        contact: their name at CloudTalk; empty: CloudTalk does not know them.
        customers: the names of those whom Kustomer has under this number before the day begins: one with it
            as their own, several who share it, or nobody.
        shared: the number is in the shared phones of its customers.
        merged_into: the name of the customer into whom a person merges theirs during the day.
    """

    phone: str
    contact: str
    customers: tuple[str, ...] = ()
    shared: bool = False
    merged_into: str = ""


def numbers() -> list[str]:
    return [f"+{block}{rest:03d}" for block, rest in product(_BLOCKS, range(1000))]
