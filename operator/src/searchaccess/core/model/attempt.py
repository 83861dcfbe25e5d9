"""What was tried for a SearchAccess: a refusal of it says nothing of what is declared later."""

from dataclasses import dataclass

from searchaccess.core.model.access import Access, Share


@dataclass(frozen=True, slots=True)
class Attempt:
    """Rights of a SearchAccess, as they were declared when they were tried."""

    generation: int
    share: Share
    """The rights themselves: a restored etcd counts generations again."""
    request: str
    """Value of the annotation that requests a reconcile: a new value requests another attempt."""


def attempt_of(access: Access) -> Attempt:
    """Return what is to be tried for a SearchAccess now."""
    return Attempt(access.generation, access.share, access.reconcile_requested)
