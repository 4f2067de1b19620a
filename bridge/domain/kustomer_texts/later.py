"""The second note of a call, for what is new since a person edited the first one. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.note import LONGEST_NOTE, cut, headline, number_line
from bridge.domain.kustomer_texts.texts import ENGLISH, Texts

_BLOCKS = "\n\n"
_MARK = ">"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterTexts:
    """What is fixed in the second note.

    Args:
        title: its first line.
        nothing: in place of news, once all that it said has been taken back.
        number: the line that names the call, in a conversation of several; empty where it is not known.
    """

    title: str = ""
    nothing: str = ""
    number: str = ""
    texts: Texts = ENGLISH

    def note(self, before: str, now: str) -> str:
        """The second note; empty where nothing is new.

        Args:
            before: our text of the first note before a person edited it.
            now: what the first note would say now.
        """
        blocks = news(before, now)
        return self._text([self.title, *blocks]) if blocks else ""

    def note_of_nothing(self) -> str:
        return self._text([self.title, self.nothing])

    def note_of_files(self) -> str:
        """Where nothing but attachments is new."""
        return self._text([self.title])

    def _text(self, blocks: list[str]) -> str:
        text = _BLOCKS.join(blocks)
        if not self.number or self.number in text.splitlines():
            return cut(text, LONGEST_NOTE, self.texts)
        end = f"{_BLOCKS}{self.number}"
        return cut(text, LONGEST_NOTE - len(end), self.texts) + end


def later_texts(call: Call, texts: Texts = ENGLISH) -> LaterTexts:
    return LaterTexts(
        title=texts.say("later_title", headline=headline(call, texts)),
        nothing=texts.say("later_nothing"),
        number=number_line(call.call_id) if call.call_id is not None else "",
        texts=texts,
    )


def news(before: str, now: str) -> list[str]:
    """What `now` says and `before` does not: lines of ours; what others wrote whole, with its title."""
    known_blocks = {block.strip() for block in before.split(_BLOCKS)}
    known_lines = {line.strip() for line in before.splitlines()}
    found = []
    for block in (one.strip() for one in now.split(_BLOCKS)):
        if not block or block in known_blocks:
            continue
        title, *rest = block.splitlines()
        if rest and all(line.startswith(_MARK) for line in rest):
            found.append(block)
        elif lines := [line for line in (title, *rest) if line.strip() not in known_lines]:
            found.append("\n".join(lines))
    return found
