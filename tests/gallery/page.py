"""`deploy/gallery.md`: what the bridge wrote in each scene, word by word, beside its picture."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import redis

from bridge.sandbox.store import Document
from tests.gallery.people import Team
from tests.gallery.scenes import SCENES, Scene
from tests.gallery.stage import HERE, Stage, stage

LANGUAGES = {"en": "English", "de": "German", "fr": "French"}
PICTURES = "screenshots"
# Kustomer's, of which the sandbox makes others each time.
_IDS = re.compile(r"\b[0-9a-f]{24}\b")
_HEAD = """\
# Gallery

What an agent sees in Kustomer of each kind of call, on the page of the sandbox's Kustomer, and the exact
text. People are invented, numbers reserved for fiction. `python -m tests.gallery` makes this page and its
pictures; `tests/gallery/test_gallery.py` proves that the texts are what the bridge writes.

"""
_RULES = """
## The rules

Where nothing else is said, calls are written by this file: as note and as voice message, with values for
reports as a custom object, with all that CloudTalk's AI says, and in the language of the line. By default a
call is a note alone, and what costs further requests is left out ([costs](budgets.md#what-a-call-costs)).

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What is in Kustomer and CloudTalk after a scene, in one language."""

    conversations: Sequence[Document]
    notes: Sequence[Document]
    messages: Sequence[Document]
    objects: Sequence[Document]
    cards: Sequence[Document]


def _written(on: Stage) -> Written:
    kustomer = on.sandbox.kustomer
    return Written(
        conversations=kustomer.conversations,
        notes=kustomer.notes,
        messages=kustomer.messages,
        objects=kustomer.custom_objects,
        cards=on.sandbox.cloudtalk.cue_cards,
    )


Look = Callable[[Scene, Stage], object]


def section(client: redis.Redis, scene: Scene, look: Look | None = None) -> str:
    """A scene's part of the page.

    Args:
        look: is called once the first language is written, while its sandbox runs.
    """
    found: list[tuple[Team, Written]] = []
    for team in scene.teams:
        with stage(client, scene.rules, team) as on:
            scene.play(on)
            if look is not None and not found:
                look(scene, on)
            found.append((team, _written(on)))
    return "\n".join(_lines(scene, found)).rstrip() + "\n"


def whole(sections: Sequence[str]) -> str:
    contents = "".join(f"- [{scene.title}](#{_anchor(scene.title)})\n" for scene in SCENES)
    return _HEAD + contents + _RULES + _fenced(rules_of("rules"), "toml") + "\n\n" + "\n".join(sections)


def rules_of(name: str) -> str:
    return (HERE / f"{name}.toml").read_text("utf-8").strip()


def _anchor(title: str) -> str:
    return "".join(one for one in title.lower() if one.isalnum() or one in "- ").replace(" ", "-")


def _fenced(text: str, kind: str = "text") -> str:
    return f"```{kind}\n{text}\n```"


def _lines(scene: Scene, found: Sequence[tuple[Team, Written]]) -> Iterator[str]:
    (first, written), *others = found
    yield f"## {scene.title}\n"
    yield f"{scene.words}\n"
    if scene.rules != "rules":
        yield _fenced(rules_of(scene.rules), "toml") + "\n"
    yield f"![{scene.title}]({PICTURES}/gallery-{scene.name}.png)\n"
    yield from _texts(written, LANGUAGES[first.language])
    for team, same in others:
        yield f"<details><summary>In {LANGUAGES[team.language]}</summary>\n"
        yield from _texts(same, LANGUAGES[team.language], values=False)
        yield "</details>\n"


def _texts(written: Written, language: str, *, values: bool = True) -> Iterator[str]:
    """Args: values: also those that are the same in every language."""
    titles = {one["attributes"]["name"] for one in written.conversations}
    for one in written.conversations if not written.cards else ():
        yield f"Conversation ({language}):\n"
        yield _fenced("\n".join(_of_conversation(one, values=values))) + "\n"
    for one in written.notes:
        yield "Note:\n"
        yield _fenced(one["attributes"]["body"]) + "\n"
    for one in written.messages:
        shown = one["attributes"]
        if not values and shown["preview"] in titles:
            continue
        yield f"Message of channel `{shown['channel']}`, {'in' if shown['direction'] == 'in' else 'out'}:\n"
        told = {name: value for name, value in shown["meta"].items() if value is not None}
        yield _fenced(shown["preview"] + ("\n\n" + _named(told) if values else "")) + "\n"
    for one in written.objects if values else ():
        yield f"Custom object of class `{one['type'].removeprefix('kobject.')}`:\n"
        yield _fenced(f"{one['attributes']['title']}\n\n{_named(one['attributes']['custom'])}") + "\n"
    for one in written.cards:
        yield "The card, as it is sent:\n"
        card = {name: one.get(name) for name in ("title", "subtitle", "content")}
        yield _fenced(_IDS.sub("…", _named(card))) + "\n"


def _of_conversation(conversation: Document, *, values: bool) -> Iterator[str]:
    shown = conversation["attributes"]
    yield shown["name"]
    if values:
        yield f"status: {shown['status']}"
        if conversation["tagNames"]:
            yield f"tags: {', '.join(conversation['tagNames'])}"
        if custom := shown.get("custom"):
            yield _named(custom)


def _named(values: Document) -> str:
    return "\n".join(f"{name}: {_plain(value)}" for name, value in values.items())


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
