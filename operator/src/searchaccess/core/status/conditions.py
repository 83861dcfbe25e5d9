"""Builds conditions, and carries transition times over from the previous status."""

from typing import Final

from searchaccess.api.conditions.docs import doc_of
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import MESSAGE_LIMIT, AnyStatus, Condition, Truth, condition_of
from searchaccess.api.times.moments import NEVER

TRUE: Final[Truth] = "True"
FALSE: Final[Truth] = "False"
UNKNOWN: Final[Truth] = "Unknown"


_CUT: Final = " …"
_ORDER: Final = tuple(ConditionType)


def shorten(text: str, limit: int) -> str:
    """Cut a text to a limit, and mark the cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shorten_message(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Cut a message to a limit, after a whole clause where possible, and mark the cut."""
    if len(text) <= limit:
        return text
    room = limit - len(_CUT)
    ends = (text.rfind(end, room // 2, room) for end in ("; ", ". ", ", "))
    found = next((end for end in ends if end >= 0), room)
    return text[:found].rstrip() + _CUT


class Conditions:
    """Conditions of one status under construction.

    Args:
        previous: the status as it is in Kubernetes.
        generation: of the object that the status is about.
        now: RFC 3339, UTC, whole seconds.
    """

    def __init__(self, previous: AnyStatus, generation: int, now: str) -> None:
        self._previous = previous
        self._generation = generation
        self._now = now
        self._made: dict[ConditionType, Condition] = {}

    def mark(self, kind: ConditionType, status: Truth, reason: Reason, message: str = "") -> None:
        """Set a condition."""
        before = condition_of(self._previous, kind)
        self._made[kind] = Condition(
            type=kind,
            status=status,
            reason=reason,
            message=shorten_message(message),
            last_transition_time=self._since(before) if before and before.status == status else self._now,
            observed_generation=self._generation,
        )

    def keep(self, kind: ConditionType) -> bool:
        """Keep a condition as it was, even if this version does not know its reason; False if there was none."""
        before = condition_of(self._previous, kind)
        if before is None:
            return False
        self._made[kind] = before.model_copy(update={"last_transition_time": self._since(before)})
        return True

    def _since(self, before: Condition) -> str:
        return self._now if before.last_transition_time == NEVER else before.last_transition_time

    def progress(self, *, ready: Truth, reason: Reason, message: str) -> None:
        """Set Ready, and Stalled or Reconciling as kstatus defines them: present only while true.

        https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
        """
        self.mark(ConditionType.READY, ready, reason, message)
        doc = doc_of(reason)
        if ready == TRUE or doc.intended:
            return
        kind = ConditionType.STALLED if doc.terminal else ConditionType.RECONCILING
        self.mark(kind, TRUE, reason, message)

    @property
    def ready_reason(self) -> str | None:
        """Reason of Ready; None: there is no such condition."""
        ready = self._made.get(ConditionType.READY)
        return ready.reason if ready else None

    def build(self) -> list[Condition]:
        """Return the conditions in the order of their types."""
        return [self._made[kind] for kind in _ORDER if kind in self._made]
