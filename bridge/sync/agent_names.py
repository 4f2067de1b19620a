"""The name and e-mail of a call's agent, where a rule names agents so and webhooks told only the number."""

from __future__ import annotations

import json
from dataclasses import replace

from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.errors import Permanent
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.queue.claims import Claim
from bridge.sync.owners import agents_by_id


def learn_agent(claim: Claim, deps: Deps, record: Record, call: Call) -> Record:
    """The record with what CloudTalk's list of agents says: rules then judge the call alike later.

    Raises:
        Transient: CloudTalk cannot be asked now; the call waits, as a rule depends on it.
    """
    knows = call.agent_name is not None and call.agent_email is not None
    if not call.ended or knows or call.agent_id is None or record.agent_of(call.agent_id) is not None:
        return record
    try:
        agent = agents_by_id(deps).get(str(call.agent_id), {})
    except Permanent:
        # The key may not list agents: rules by name or e-mail fit what the webhooks told.
        return record
    text = json.dumps({"id": call.agent_id, "name": agent.get("name"), "email": agent.get("email")})
    deps.ledger.keep(claim, {Field.AGENT: text})
    return replace(record, fields={**record.fields, Field.AGENT: text})
