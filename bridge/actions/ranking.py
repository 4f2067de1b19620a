"""Which actions fit what somebody wants to do, in their own words; offline.

Words of key and name count most, then those that people use for it, its description and its fields. A word
that few actions have says more than one that most of them have.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

from bridge.actions.operation import Operation

_IGNORED_TEXT = """
    a an and are as at be by can do does for from get have he her him his how i in is it its me my of on or
    our please she show that the their them there they this to us want was we what where which with would you
    your
"""
_IGNORED = frozenset(_IGNORED_TEXT.split())
_IN_NAME, _SAID, _IN_DESCRIPTION, _IN_FIELDS = 4.0, 3.0, 2.0, 1.0


def rank(intent: str, actions: Iterable[Operation]) -> list[Operation]:
    """Best first; actions that share no word with the intent are left out. Equal ones keep their order."""
    known = list(actions)
    weights = [_weights(one) for one in known]
    common = Counter(word for one in weights for word in one)
    wanted = set(words(intent))
    scores = [
        sum(weight[word] * math.log(1 + len(known) / common[word]) for word in wanted if word in weight)
        for weight in weights
    ]
    order = sorted(range(len(known)), key=lambda i: -scores[i])
    return [known[i] for i in order if scores[i] > 0]


def words(text: str) -> list[str]:
    """In lower case, without endings, so that `calling`, `calls` and `call` are one word."""
    found = re.findall(r"[^\W_]+", re.sub(r"e-?mail", "email", text.casefold()))
    return [_stem(word) for word in found if word not in _IGNORED]


def _stem(word: str) -> str:
    for ending, shortest in (("ies", 3), ("ing", 3), ("ers", 4), ("er", 4), ("ed", 3), ("es", 4), ("s", 3)):
        if word.endswith(ending) and len(word) - len(ending) >= shortest:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word.removesuffix("e") if len(word) > 4 else word


def _weights(operation: Operation) -> dict[str, float]:
    weights: dict[str, float] = {}
    for weight, text in (
        (_IN_FIELDS, " ".join(operation.input_type.model_fields)),
        (_IN_DESCRIPTION, operation.description),
        (_SAID, operation.said),
        (_IN_NAME, f"{operation.key} {operation.name}"),
    ):
        weights.update(dict.fromkeys(words(text.replace("_", " ")), weight))
    return weights
