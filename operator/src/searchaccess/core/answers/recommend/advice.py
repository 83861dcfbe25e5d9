"""What to change in a SearchAccess, with the evidence: valid, and never narrower than what was used."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import yaml

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.answers.audit.known import Known, KnownAccess, known_access
from searchaccess.core.answers.audit.tally import ELASTICSEARCH, Tally
from searchaccess.core.answers.recommend.narrow import Narrowed, Removal, Used, narrow
from searchaccess.core.model.identities.workload import is_unique_id
from searchaccess.core.model.intake.metadata import part
from searchaccess.core.model.parsing import access_from_object

_SERVER: Mapping[str, Any] = {"uid": "uid", "generation": 1}
"""What only the API server adds, and the model expects."""


_NO_EVENTS: Final = "the logs have no events of this time, of anybody: nothing is recommended"
_NO_CALLER: Final = "who its callers are is only in its status: nothing is recommended from files, read the API server"
_BY_ID: Final = (
    "callers in the logs have unique ids for names, and which of them is its caller is only in its status: nothing is "
    "recommended from files, read the API server"
)
_NO_CREDENTIALS: Final = (
    "the gateway's log does not show requests with API keys and passwords: nothing is recommended without "
    "Elasticsearch's audit log"
)
_OTHER_CLUSTER: Final = (
    "no request to SearchCluster {} is in the logs: nothing is recommended, give its logs, or name another one with "
    "--cluster"
)
_NAMELESS: Final = "there are too many combinations to tell callers apart: nothing is recommended, read a shorter time"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to change in one SearchAccess.

    Attributes:
        path: ``namespace/name``.
        before: its spec.
        after: what is enough; None: it was not used at all, or nothing is certain.
        removals: what is not needed.
        notes: what could not be judged.
        requests: number of allowed requests that were seen.
        last: the last of them.
        decided: the logs tell what is needed; otherwise nothing is recommended.
    """

    path: str
    before: Mapping[str, Any]
    after: Mapping[str, Any] | None
    removals: tuple[Removal, ...]
    notes: tuple[str, ...]
    requests: int
    last: datetime | None
    decided: bool = True

    @property
    def diff(self) -> str:
        """The change of the spec as a unified diff; empty: there is none."""
        if self.after is None:
            return ""
        before, after = _lines(self.before), _lines(self.after)
        return "".join(difflib.unified_diff(before, after, f"{self.path} (declared)", f"{self.path} (enough)"))

    def data(self) -> dict[str, Any]:
        """Return it as plain data: the documented shape of JSON and YAML."""
        return {
            "searchAccess": self.path,
            "requests": self.requests,
            "lastUsed": self.last.isoformat(timespec="seconds") if self.last else None,
            "unused": [{"path": item.path, "value": item.what, "reason": item.why} for item in self.removals],
            "notes": list(self.notes),
            "spec": dict(self.after) if self.after is not None and self.removals else None,
        }


def _lines(spec: Mapping[str, Any]) -> list[str]:
    text = yaml.safe_dump({"spec": dict(spec)}, sort_keys=False, allow_unicode=True, width=120)
    return text.splitlines(keepends=True)


@dataclass(frozen=True, slots=True)
class Window:
    """The time that the logs cover: from the first event to the last, of anybody."""

    first: datetime | None = None
    last: datetime | None = None

    @property
    def days(self) -> float:
        """Its length."""
        return (self.last - self.first).total_seconds() / 86_400 if self.first and self.last else 0.0


def window_of(tally: Tally) -> Window:
    """Return the time that events cover."""
    counts = [count for _, count in tally.uses()]
    return Window(
        min((count.first for count in counts), default=None), max((count.last for count in counts), default=None)
    )


def advise(accesses: Sequence[Mapping[str, Any]], tally: Tally) -> list[Advice]:
    """Advise on SearchAccesses.

    Args:
        accesses: all SearchAccesses, as the API server has them or from files.
        tally: the counted events.

    Returns:
        One advice for each that can be read, sorted by its path.
    """
    read = [(raw, known_access(raw)) for raw in accesses]
    known = Known([access for _, access in read])
    used: dict[str, list[Used]] = {}
    for use, count in tally.total().items():
        if use.allowed:
            for access in known.explain(use.user, use.key_id, use.key_name).accesses:
                found = Used(use.kind, use.index, count.number, count.last, use.through)
                used.setdefault(access.path, []).append(found)
    covered = {access.cluster for _, access in read if access.path in used}
    silent = {access.cluster for _, access in read} - covered if covered else set[str]()
    logged = _logged(tally, known, silent)
    made = []
    for raw, access in read:
        if not _problem(raw):
            uses = used.get(access.path, [])
            made.append(_advice(raw, access.path, uses, _undecided(raw, access, logged, is_used=bool(uses))))
    return sorted(made, key=lambda item: item.path)


@dataclass(frozen=True, slots=True)
class _Logged:
    """What can be seen in the logs at all.

    Args:
        anything: there are events.
        credentials: requests with API keys and passwords.
        unknown_ids: callers of whom only the unique id is known, and not whose it is.
        nameless: there are too many combinations: some callers are not told apart.
        silent: SearchClusters of which no caller is in the logs, where those of another one are.
    """

    anything: bool
    credentials: bool
    unknown_ids: bool
    nameless: bool
    silent: Collection[str]


def _logged(tally: Tally, known: Known, silent: Collection[str]) -> _Logged:
    uses = [use for use, _ in tally.uses()]
    names = {use.user for use in uses if not use.key_id}
    return _Logged(
        anything=bool(uses),
        credentials=any(use.through == ELASTICSEARCH for use in uses),
        unknown_ids=any(is_unique_id(name) and not known.explain(name, "", "").accesses for name in names),
        nameless=tally.nameless,
        silent=silent,
    )


def _undecided(raw: Mapping[str, Any], known: KnownAccess, logged: _Logged, *, is_used: bool) -> str:  # noqa: PLR0911 - reads as a table
    """Return why uses of a SearchAccess may not show in the logs; empty: they would all."""
    if not logged.anything:
        return _NO_EVENTS
    auth = raw["spec"].get("auth", Auth.IDENTITY_TOKEN)
    if logged.nameless:
        return _NAMELESS
    if is_used:
        return ""
    if known.cluster in logged.silent:
        return _OTHER_CLUSTER.format(known.cluster)
    if auth != Auth.IDENTITY_TOKEN and not logged.credentials:
        return _NO_CREDENTIALS
    if auth == Auth.API_KEY:
        # A key has the name of its SearchAccess.
        return ""
    if not (known.user if auth == Auth.PASSWORD else known.principals):
        return _NO_CALLER
    is_recorded = bool(part(part(raw, "status"), "identity").get("principal"))
    return _BY_ID if auth == Auth.IDENTITY_TOKEN and logged.unknown_ids and not is_recorded else ""


def _advice(raw: Mapping[str, Any], path: str, uses: Sequence[Used], undecided: str) -> Advice:
    spec = raw["spec"]
    decided = not undecided
    if decided:
        found = _valid(raw, narrow(spec, uses)) or _valid(raw, narrow(spec, uses, splitting=False))
    else:
        found = Narrowed(spec, notes=(undecided,))
    if found is None:
        decided = False
        found = Narrowed(spec, notes=("what would be enough cannot be declared: nothing is recommended",))
    return Advice(
        path,
        spec,
        found.spec,
        found.removals,
        found.notes,
        sum(use.number for use in uses),
        max((use.last for use in uses), default=None),
        decided,
    )


def _valid(raw: Mapping[str, Any], narrowed: Narrowed) -> Narrowed | None:
    if narrowed.spec is None:
        return narrowed
    return None if _problem({**raw, "spec": narrowed.spec}) else narrowed


def _problem(raw: Mapping[str, Any]) -> str:
    return access_from_object({**raw, "metadata": {**_SERVER, **raw["metadata"]}}).invalid
