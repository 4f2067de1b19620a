"""How long Redis may say nothing to a process that waits for it, before it counts as away."""

from __future__ import annotations

# A silence of this length while something waits is an outage, unless Redis has been slow lately.
SILENT_S = 0.2
# A longer silence is an outage even where Redis is known to be slow.
MOST_SILENT_S = 1.0
# One that lasted this long was no slow disk, even if it ended: nothing is learnt from it.
OUTAGE_S = 0.5
# For so long a silence that ended is remembered.
_REMEMBERED_S = 10.0
# A disk that took so long may take twice as long the next time.
_TIMES = 2.0


class Stalls:
    """The longest silence of the last seconds that ended with an answer; it sets the limit for the next.

    From outside, a Redis that waits for its disk looks like one that is frozen: neither answers anything.
    What tells them apart is that the first has answered after such silences before.
    """

    def __init__(self) -> None:
        self._longest_s = 0.0
        self._until = 0.0
        # When the silence began that was taken for an outage; None where none was.
        self._away_since: float | None = None

    def limit_s(self, now: float) -> float:
        """How long a silence may last from now on."""
        if now >= self._until:
            return SILENT_S
        return min(MOST_SILENT_S, max(SILENT_S, _TIMES * self._longest_s))

    def ended(self, silent_s: float, now: float) -> None:
        """Redis answered after such a silence."""
        if silent_s >= OUTAGE_S:
            return
        if silent_s >= self._longest_s or now >= self._until:
            self._longest_s, self._until = silent_s, now + _REMEMBERED_S

    def taken_for_outage(self, since: float) -> None:
        """A silence went over the limit."""
        self._away_since = since

    def back(self, now: float) -> None:
        """Redis answers again. If that was soon, it was slow and not away."""
        if self._away_since is not None:
            self.ended(now - self._away_since, now)
            self._away_since = None
