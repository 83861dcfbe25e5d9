"""Decisions that a finding stays until a time: by whom, and why. They are in a file that people review."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, ValidationError

from searchaccess.api.base import ApiModel
from searchaccess.api.times.moments import WANTED, moment
from searchaccess.core.answers.findings.model import Finding
from searchaccess.core.model.intake.bounds import excess

LONGEST: Final = timedelta(days=366)
"""After which somebody has to decide again."""
MOST: Final = 10_000
_DEPTH: Final = 4
_ID: Final = r"^f-[0-9a-f]{16}$"
_CONTENT: Final = r"^c-[0-9a-f]{16}$"
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class BadSuppressions(ValueError):
    """A file of suppressions cannot be used; the message says where and why."""


def _readable(text: str) -> str:
    """Return a time as RFC 3339 has it; a day stands for its beginning in UTC."""
    whole = f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text
    if moment(whole) is None:
        raise ValueError(f"{WANTED}, or a day, which stands for its beginning")
    return whole


def _says_something(text: str) -> str:
    if not text.strip():
        raise ValueError("write something")
    return text


_Text = Annotated[str, Field(max_length=1024), AfterValidator(_says_something)]


class Suppression(ApiModel):
    """A decision about one finding."""

    id: Annotated[str, Field(pattern=_ID)]
    """Of the finding."""
    reason: _Text
    """Why it stays."""
    by: _Text
    """Who decided."""
    until: Annotated[str, Field(max_length=40), AfterValidator(_readable)]
    """When it is open again (RFC 3339, or a day)."""
    content: Annotated[str, Field(pattern=_CONTENT)] | None = None
    """Of the finding: it is open again as soon as there is other evidence."""

    @property
    def ends(self) -> datetime:
        """When it ends."""
        return datetime.fromtimestamp(moment(self.until) or 0, UTC)


class Effect(StrEnum):
    """What became of a suppression."""

    IN_FORCE = "InForce"
    EXPIRED = "Expired"
    """Its time is over: the finding is open again."""
    OTHER_CONTENT = "OtherContent"
    """There is other evidence than what was decided about: the finding is open again."""
    STALE = "Stale"
    """No finding has this id: the line can be removed."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A suppression, and what became of it."""

    suppression: Suppression
    effect: Effect

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**self.suppression.to_json(), "effect": str(self.effect)}


def effect_on(suppression: Suppression, finding: Finding, now: datetime) -> Effect:
    """Return what a suppression does to its finding.

    Args:
        suppression: of this finding.
        finding: as it is now.
        now: the time.
    """
    if suppression.ends <= now:
        return Effect.EXPIRED
    if suppression.content is not None and suppression.content != finding.content:
        return Effect.OTHER_CONTENT
    return Effect.IN_FORCE


def read_suppressions(raw: object, now: datetime) -> dict[str, Suppression]:
    """Read a file of suppressions.

    Args:
        raw: its content: a list.
        now: the time.

    Returns:
        Each by the id of its finding.

    Raises:
        BadSuppressions: something in it is wrong; nothing of it is used.
    """
    if raw is None:
        return {}
    if not isinstance(raw, list):
        raise BadSuppressions("write a list, with id, reason, by and until of each suppression")
    if wrong := excess(raw, depth=_DEPTH, nodes=MOST * 12):
        raise BadSuppressions(f"it has {wrong}")
    found = dict[str, Suppression]()
    for number, item in enumerate(raw):
        read = _read(item, f"[{number}]")
        if read.id in found:
            raise BadSuppressions(f"[{number}]: {read.id} is in it twice")
        if read.ends > now + LONGEST:
            latest = f"{now + LONGEST:%Y-%m-%d}"
            raise BadSuppressions(f"[{number}].until: decide again within a year: write {latest} or an earlier time")
        found[read.id] = read
    return found


def _read(item: object, place: str) -> Suppression:
    if not isinstance(item, Mapping):
        raise BadSuppressions(f"{place}: write id, reason, by and until")
    given = {str(name): value for name, value in item.items()}
    try:
        return Suppression.model_validate(given, by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(step) for step in first["loc"])
        raise BadSuppressions(f"{place}.{field}: {first['msg'].removeprefix('Value error, ')}") from None
