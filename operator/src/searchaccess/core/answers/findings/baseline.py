"""Reads the result of an earlier run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from searchaccess.api.times.moments import moment
from searchaccess.core.answers.findings.kinds import Kind
from searchaccess.core.answers.findings.model import FORMAT, About, Finding, State
from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.reading import mapping

MOST: Final = 1_000_000
"""Values of any kind in it."""
KEPT: Final = timedelta(days=90)
"""How long a finding that is fixed is remembered, so that it is reopened and not new."""
_DEPTH: Final = 8
_TEXT: Final = 100_000_000


class BadBaseline(ValueError):
    """The result of an earlier run cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A finding of an earlier run."""

    finding: Finding
    state: State
    fixed_at: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The result of an earlier run.

    Args:
        findings: by their ids.
        unknown: number of findings of kinds that this version does not know; nothing is reported about them.
    """

    findings: Mapping[str, Earlier]
    unknown: int = 0


def read_baseline(raw: object, now: datetime) -> Baseline:
    """Read the JSON of an earlier run.

    Args:
        raw: what ``json.loads`` gives.
        now: the time; what was fixed long before is forgotten.

    Raises:
        BadBaseline: it is something else, or was edited.
    """
    data = mapping(raw)
    if data.get("format") != FORMAT or not isinstance(data.get("findings"), list):
        raise BadBaseline(f"it is no result of searchaccess findings -o json (format {FORMAT})")
    if wrong := excess(raw, depth=_DEPTH, nodes=MOST, text=_TEXT):
        raise BadBaseline(f"it has {wrong}")
    found, unknown = dict[str, Earlier](), 0
    for number, item in enumerate(data["findings"]):
        given = mapping(item)
        if given.get("kind") not in set(Kind):
            unknown += 1
            continue
        earlier = _earlier(given, number)
        fixed = moment(earlier.fixed_at)
        if fixed is None or fixed > (now - KEPT).timestamp():
            found[earlier.finding.id] = earlier
    return Baseline(found, unknown)


def _earlier(given: Mapping[str, Any], number: int) -> Earlier:
    about = mapping(given.get("object"))
    finding = Finding(
        Kind(given["kind"]),
        About(*(_text(about.get(name)) for name in ("kind", "namespace", "name"))),
        _texts(given.get("what")),
        _text(given.get("title")),
        _texts(given.get("evidence")),
        _time(given.get("firstSeen")),
    )
    state = given.get("state")
    if finding.id != given.get("id") or state not in set(State):
        raise BadBaseline(f"findings[{number}]: its id is not that of its content: it was edited")
    fixed_at = _time(given.get("fixedAt"))
    if state == State.FIXED and not fixed_at:
        raise BadBaseline(f"findings[{number}]: it is fixed, and fixedAt is missing")
    return Earlier(finding, State(state), fixed_at if state == State.FIXED else "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, value)) if isinstance(value, list) else ()


def _time(value: object) -> str:
    text = _text(value)
    return text if moment(text) is not None else ""
