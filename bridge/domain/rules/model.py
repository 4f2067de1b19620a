"""What the operator may decide: which calls are written, how conversations start, how webhooks name things.

`file.py` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

from bridge.domain.call import Call
from bridge.domain.fields import need_path
from bridge.domain.hours import Hours
from bridge.domain.kustomer_texts.languages import Language
from bridge.domain.outcome import Outcome, Status
from bridge.domain.rules.when import Caller, Facts, When, of_listed, why_not, without_path

# Bytes of the file that they are read from.
LARGEST_FILE = 262_144

Match = Literal["phone", "shared_phone", "email", "external_id"]
Several = Literal["newest", "most_recent_conversation", "none", "house"]
Unknown = Literal["create", "house", "skip"]
Per = Literal["call", "customer", "missed_caller"]
Assign = Literal["longest", "first", "last", "none"]
# Whom a missed call goes to: the first of the list that has a Kustomer user, or the fallback team.
MissedOwner = Literal["last_rung", "voicemail", "favourite", "last_assignee", "fallback"]
# Whether a call is written; `complete`: once its recording is there, so that one write says all.
WriteWhen = Literal[True, False, "complete"]
WriteAs = Literal["note", "voice_message", "both"]
Attach = Literal["speech", "original", "never"]
Link = Literal["operators", "signed", "off"]
FieldsAs = Literal["none", "conversation", "klass"]

# How a call is written -> the outputs that tell of it, in the order in which they are written.
WRITTEN_AS: Mapping[WriteAs, tuple[str, ...]] = MappingProxyType(
    {"note": ("note",), "voice_message": ("voice",), "both": ("note", "voice")}
)
# Where a transcript goes: into the note; and into a file where it is longer than that holds; or nowhere.
WrittenTranscript = Literal["note", "file", "none"]

DEFAULT_STATUS: Mapping[Outcome, Status] = MappingProxyType(
    {
        Outcome.ANSWERED: "done",
        Outcome.MISSED: "open",
        Outcome.VOICEMAIL: "open",
        Outcome.INTERNAL: "done",
        Outcome.UNKNOWN: "open",
    }
)


DEFAULT_CONTACT_FIELDS: Mapping[str, str] = MappingProxyType(
    {"name": "name", "phones": "phones", "emails": "emails"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The operator's choices; the defaults suit a team that wants every customer call and nothing else."""

    # Whether the call is written at all, and whether it waits for its recording.
    write: WriteWhen = True
    write_internal: bool = False
    write_withheld: bool = False
    write_short: bool = False
    # The call's path in the note: menus, queues, who rang, transfers; costs a request for call detail.
    note_path: bool = False
    # Of the note, the title and texts in fields.
    language: Language = "en"
    # What it is written as, `as` in the file: an internal note, a message of channel `voice`, or both.
    write_as: WriteAs = "note"
    auto: bool = False  # voice messages are left out of Kustomer's reporting
    note_template: str = ""  # empty: the built-in note
    # Whose call it is: [customer].
    match: tuple[Match, ...] = ("phone", "shared_phone", "email", "external_id")
    # Whether to search for shared numbers and other spellings where the exact look-up finds nobody: a request
    # more for each unknown caller. None: where the file says anything about match or several.
    search: bool | None = None
    several: Several = "newest"
    unknown: Unknown = "create"
    house: str = ""  # the id of a Kustomer customer
    customer_name: str = ""  # a template; empty: the name that CloudTalk gives
    phone_type: Literal["mobile", "home", "work", "fax", "other"] = "other"
    customer_tags: tuple[str, ...] = ()
    locale: str = ""
    customer_custom: Mapping[str, Any] = field(default_factory=dict)
    # Its conversation: [conversation].
    per: Per = "call"
    # How long after its first call a conversation takes up further ones; 0 with per = "customer": while open.
    within_hours: float = 24
    name: str = ""  # a template; empty: the built-in title
    status: Mapping[Outcome, Status] = field(default_factory=lambda: DEFAULT_STATUS)
    snooze_hours: float = 4  # how long a conversation of status `snoozed` sleeps
    sub_status: str = ""
    priority: int | None = None  # 1 to 5
    brand: str = ""
    queue: str = ""  # the id of a queue
    tags: tuple[str, ...] = ()
    call_tags: bool = False
    custom: Mapping[str, Any] = field(default_factory=dict)  # custom attributes of the conversation
    close_missed_on_contact: bool = True
    # When a missed call is to be called back: within so many minutes of opening hours; None: no due time.
    call_back_minutes: int | None = None
    due_custom: str = ""  # a custom attribute of the conversation that gets this time (`…At`, or text)
    open_hours: Hours | None = None
    holidays: frozenset[date] = frozenset()
    # Who owns it: [agents].
    assign: Assign = "none"
    missed_owner: tuple[MissedOwner, ...] = ("last_rung", "fallback")  # `missed` in the file
    team: str = ""  # id or name of a Kustomer team: in any case
    fallback_team: str = ""  # where nobody can own it
    agent_table: Mapping[str, str] = field(default_factory=dict)  # CloudTalk agent id -> Kustomer e-mail
    # Domains that stand for one another: an agent's e-mail is looked up under each.
    agent_domains: tuple[str, ...] = ()
    shared_accounts: tuple[str, ...] = ()  # agents (id or e-mail) who are several people: never assigned
    # Values for reports, as custom attributes: [fields].
    fields_as: FieldsAs = "none"
    klass: str = "call"  # the class of the KObject
    field_names: Mapping[str, str] = field(default_factory=dict)  # see `domain/fields.py`
    record: bool = True
    transcode: bool = True
    attach: Attach = "speech"
    # Bytes; what Kustomer's composer takes is 5 MB a file, what its API takes is not documented.
    largest_attachment: int = 5_000_000
    link: Link = "operators"
    link_days: int = 30
    public_link: bool = False
    do_not_record: tuple[str, ...] = ()
    # Who calls, shown to the agents whose phone rings: [cue_card].
    cue_card: bool = False  # `show` in the file
    cue_card_conversations: int = 3  # open ones that the card names
    cue_card_unknown: bool = False  # a card for callers whom Kustomer does not know, too
    cue_card_tags: Mapping[str, str] = field(default_factory=dict)  # id of a Kustomer tag -> its name
    # Text messages: [messages]. The rest of the file's rules for calls does not apply to them.
    write_messages: bool = True
    send_messages: bool = False  # those that a Kustomer workflow asks for
    messages_from: str = ""  # our number, where the workflow names none
    # Contacts: [contacts]; about no call, so no `[[rule]]` sets them.
    contacts_to_kustomer: bool = False
    contacts_to_cloudtalk: bool = False
    # Field of a contact, or title of an attribute -> field of the customer.
    contact_fields: Mapping[str, str] = field(default_factory=lambda: DEFAULT_CONTACT_FIELDS)
    contact_link: bool = True
    contact_create: bool = False
    contact_tag: str = ""
    # What CloudTalk's AI says of a call: [insights]. Asked for where it is chosen and no webhook has it.
    # None: what webhooks have of it is written, and nothing is asked for.
    summary: bool | None = None
    sentiment: bool = False
    smart_notes: bool = False
    topics: bool = False
    talk_ratio: bool = False
    details_link: bool = False
    transcript: WrittenTranscript | None = None
    # Folded key -> canonical key, beside the built-in table.
    webhook_keys: Mapping[str, str] = field(default_factory=dict)
    region: str | None = None
    zone: str = "UTC"
    # The `[[rule]]` blocks, in the order of the file.
    rules: tuple[Rule, ...] = ()
    # Of the file's content: stands on each record that was written by it; "default" without a file.
    version: str = "default"
    # Where the choices come from that are not defaults, and their names there, such as `write.internal`.
    source: str = field(default="", compare=False)
    stated: frozenset[str] = field(default=frozenset(), compare=False)
    # On which line of the file: of each stated name.
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    # In the choices for one call: field -> the rule that set it.
    set_by: Mapping[str, Rule] = field(default_factory=dict, compare=False)

    def placed(self, *, region: str | None, zone: str) -> Rules:
        """The same rules for a country (numbers written without their code) and a time zone (notes)."""
        return replace(self, region=region, zone=zone)

    @property
    def written_as(self) -> tuple[str, ...]:
        """The outputs that tell of the call: `note`, `voice`."""
        return WRITTEN_AS[self.write_as]

    @property
    def writes_messages(self) -> bool:
        """Whether some call is written as a voice message."""
        chosen = (self.write_as, *(rule.then.get("write_as", "note") for rule in self.rules))
        return any(one != "note" for one in chosen)

    @property
    def asks_path(self) -> bool:
        """Whether some choice needs call detail: one request to CloudTalk for each call that it is about."""
        if self._uses_path({}):
            return True
        if any(rule.when.asks_path or rule.then.get("note_path", False) for rule in self.rules):
            return True
        forms = (self.fields_as, *(rule.then.get("fields_as", "none") for rule in self.rules))
        names = (self.field_names, *(rule.then.get("field_names", {}) for rule in self.rules))
        return any(form != "none" for form in forms) and any(need_path(one) for one in names)

    def needs_path(self, call: Call) -> bool:
        """Whether a choice for this call depends on its path, by what the webhooks tell of it."""
        if not self.asks_path:
            return False
        facts = self.facts(call, None)
        chosen: dict[str, Any] = {}
        for rule in self.rules:
            if rule.then.keys() <= chosen.keys() or why_not(without_path(rule.when), facts) is not None:
                continue
            with_it = {**rule.then, **chosen}
            if rule.when.asks_path:
                return True
            if rule.when.caller is None:
                chosen = with_it
            elif self._uses_path(with_it) and not self._uses_path(chosen):
                # Who calls is not known yet, so such a rule may fit in the end.
                return True
            if chosen.get("write", self.write) is False:
                return False
        return self._uses_path(chosen)

    def _uses_path(self, chosen: Mapping[str, Any]) -> bool:
        """Whether something of the path is written, by these choices and else those of the file."""
        if chosen.get("note_path", self.note_path):
            return True
        written = chosen.get("fields_as", self.fields_as) != "none"
        return written and need_path(chosen.get("field_names", self.field_names))

    @property
    def asks_caller(self) -> bool:
        """Whether some rule needs to know if Kustomer has the customer already."""
        return any(rule.when.caller is not None for rule in self.rules)

    @property
    def states_match(self) -> bool:
        """Whether the file says by what customers are matched: e-mails and contacts' ids count only then."""
        return "customer.match" in self.stated or any("match" in rule.then for rule in self.rules)

    @property
    def searches(self) -> bool:
        """Whether shared numbers and other spellings are searched."""
        if self.search is not None:
            return self.search
        chooses = any("several" in rule.then for rule in self.rules)
        return self.states_match or chooses or "customer.several" in self.stated

    def may_show_cue_card(self, call: Call) -> bool:
        """Whether a choice for this call shows the card, be its caller known to Kustomer or not."""
        if not self.cue_card and not any(rule.then.get("cue_card") for rule in self.rules):
            return False
        callers: tuple[Caller, ...] = ("known", "unknown")
        return any(self.for_call(call, caller).cue_card for caller in callers)

    @property
    def names_agents(self) -> bool:
        """Whether some rule names agents otherwise than by their number."""
        return any(not name.strip().isdigit() for rule in self.rules for name in rule.when.agent)

    def facts(self, call: Call, caller: Caller | None) -> Facts:
        return Facts(call=call, caller=caller, zone=self.zone, holidays=self.holidays)

    def for_call(self, call: Call, caller: Caller | None = None) -> Rules:
        """The choices for one call: of each, the first rule that fits and sets it, else the file's.

        Args:
            caller: whether Kustomer had the customer before this call; None where nobody has looked yet.
        """
        if not self.rules:
            return self
        facts = self.facts(call, caller)
        chosen: dict[str, Any] = {}
        by: dict[str, Rule] = {}
        for rule in self.rules:
            if not rule.then.keys() <= chosen.keys() and why_not(rule.when, facts) is None:
                chosen = {**rule.then, **chosen}
                by = {**dict.fromkeys(rule.then, rule), **by}
        return replace(self, **chosen, set_by=by) if chosen else self

    def caller_matters(self, call: Call) -> bool:
        """Whether the choices for a call differ by whether Kustomer has the customer already."""
        return self.asks_caller and self.for_call(call, "known") != self.for_call(call, "unknown")

    def is_open(self, choice: str, call: Call) -> bool:
        """Whether a choice for a call known only from CloudTalk's list depends on more."""
        facts = self.facts(call, None)
        for rule in self.rules:
            listed = of_listed(rule.when)
            if choice in rule.then and why_not(listed, facts) is None:
                return listed != rule.when
        return False

    def origin_of(self, choice: str) -> str:
        """Where a choice for one call comes from, such as `rule 2 (line 14) says`."""
        rule = self.set_by.get(choice)
        return "the rules say" if rule is None else f"{rule.name} says"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One `[[rule]]` block.

    Args:
        then: field of `Rules` -> the value it sets. A status stands for every outcome.
        number: from 1, in the order of the file.
        line: where the block begins in the file.
    """

    when: When
    then: Mapping[str, Any]
    number: int = 1
    line: int = 0

    @property
    def name(self) -> str:
        return f"rule {self.number} (line {self.line})"
