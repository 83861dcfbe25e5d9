"""Answers as plain data, and as people see them."""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from searchaccess.cli.access.asking import Asking, Shown
from searchaccess.core.answers.access.explain import Explanation, Says
from searchaccess.core.answers.access.groups import Rights
from searchaccess.core.answers.access.holders import Finding, Kind, Outcome
from searchaccess.core.answers.access.state import Target
from searchaccess.core.answers.access.whocan import WhoCan, managed_by
from searchaccess.core.answers.access.words import documents_in_words, fields_in_words
from searchaccess.core.answers.exits import Exit
from searchaccess.core.answers.statuses.overview import last_use
from searchaccess.core.answers.statuses.report import Use, use_of
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Access

if TYPE_CHECKING:
    from rich.console import RenderableType

_EXITS: Final = {Outcome.YES: Exit.IN_SYNC, Outcome.NO: Exit.NO, Outcome.UNKNOWN: Exit.UNKNOWN}
_STYLES: Final = {Says.GRANTS: "green", Says.BLOCKS: "red", Says.UNKNOWN: "yellow"}
_SHOWN: Final = 3
_WIDE: Final = 120
"""Columns from which on a table is readable."""
_READABLE: Final = 24
"""Columns that each text of a table needs at least."""
_WHY: Final = ("WHY",)
_RIGHTS: Final = ("DOCUMENTS", "FIELDS", "FROM")


def exit_of(outcome: Outcome) -> Exit:
    """Return the exit code of an answer."""
    return _EXITS[outcome]


def outcome_with(found: Explanation, document: Shown | None) -> Outcome:
    """Return the answer about one document: it is never a no where something cannot be seen."""
    if document is None or found.outcome is not Outcome.YES or document.shown:
        return found.outcome
    finding = found.finding
    certain = document.shown is False and finding is not None and not (finding.perhaps or finding.doubts)
    return Outcome.NO if certain else Outcome.UNKNOWN


def explanation_data(found: Explanation, asking: Asking, document: Shown | None) -> dict[str, Any]:
    """Return an explanation for scripts."""
    shown = {True: "yes", False: "no", None: "unknown"}
    return {
        "subject": found.asked.subject,
        "cluster": asking.cluster,
        "action": found.asked.question.action,
        **_target(found.asked.target),
        "field": found.asked.field or None,
        "allowed": str(outcome_with(found, document)),
        **_rights(found.rights),
        "document": None if document is None else {"shown": shown[document.shown], "why": document.why},
        "chain": [
            {"what": each.what, "name": each.name, "says": str(each.says), "text": each.text} for each in found.steps
        ],
        "doubts": list(found.finding.doubts) if found.finding else [],
        "verified": None if found.verified is None else found.verified,
        "notVerified": found.not_verified or None,
        "unread": list(found.unread),
        "unseen": list(found.unseen),
    }


def explanation_shown(found: Explanation, asking: Asking, document: Shown | None) -> "Sequence[RenderableType]":
    """Return an explanation for people."""
    from searchaccess.cli.printing import blocks, table

    outcome = outcome_with(found, document)
    who, does = found.asked.subject, f"{found.asked.question.action} {found.asked.target.name}"
    said = {
        Outcome.YES: f"yes, {who} may {does}",
        Outcome.NO: f"no, {who} may not {does}",
        Outcome.UNKNOWN: f"unknown: whether {who} may {does} depends on what cannot be seen",
    }[outcome]
    lines: list[RenderableType] = [f"{said} (SearchCluster {asking.cluster})"]
    if rights := found.rights:
        lines += [f"{rights.how}"] if rights.how else []
        if found.asked.question.reads:
            lines += [f"documents: {documents_in_words(rights)}", f"fields: {fields_in_words(rights)}"]
    if document is not None:
        shown = {True: "is shown", False: "is not shown", None: "is not decided"}[document.shown]
        lines.append(f"the document {shown}: {document.why}")
    rows = [(str(each.says), each.what, each.name, each.text) for each in found.steps]
    heads = ("SAYS", "WHAT", "NAME", "WHY")
    if _has_room(heads, rows, _WHY):
        styles = [_STYLES.get(each.says) for each in found.steps]
        lines += ["", table(heads, rows, styles, {*heads} - {*_WHY}), ""]
    else:
        lines += ["", *blocks((f"{says}: {what} {name}", why) for says, what, name, why in rows), ""]
    if found.not_verified:
        lines.append(f"not verified: {found.not_verified}")
    return [*lines, *_limits(found.unread, found.unseen)]


def _has_room(heads: Sequence[str], rows: Sequence[Sequence[str]], texts: Collection[str]) -> bool:
    """Return whether a table can be read on the terminal, and its names stay whole."""
    from searchaccess.cli.printing import fits, width

    columns = width()
    return columns is None or (columns >= _WIDE and fits(heads, rows, texts, _READABLE))


def _limits(unread: Sequence[str], unseen: Sequence[str]) -> list[str]:
    return [*(f"could not be read: {each}" for each in unread), *(f"cannot be seen: {each}" for each in unseen)]


def _target(target: Target) -> dict[str, Any]:
    return {"index": target.name, "leading": list(target.leading), "behind": list(target.behind)}


def _rights(rights: Rights | None) -> dict[str, Any]:
    if rights is None:
        return {"how": None, "documents": None, "fields": None, "roles": [], "by": []}
    documents = [[_query(query) for query in sorted(some)] for some in rights.documents]
    fields = [
        [{"include": list(include), "exclude": list(exclude)} for include, exclude in sorted(some)]
        for some in rights.fields
    ]
    return {
        "how": rights.how or None,
        "documents": documents or "all",
        "fields": fields or "all",
        "roles": list(rights.sources),
        "by": list(rights.names),
    }


def _query(query: str) -> Any:
    try:
        return json.loads(query)
    except ValueError:
        return query


def _declared(finding: Finding, asking: Asking) -> tuple[str, ...]:
    return managed_by(asking.state.roles or {}, finding)


Declared = Mapping[str, tuple[Mapping[str, Any], Access]]
"""The SearchAccesses of a cluster by ``namespace/name``."""


def _by_name(asking: Asking) -> Declared:
    return {access.ref: (raw, access) for raw, access in asking.accesses()}


def _since(finding: Finding, accesses: Sequence[str], declared: Declared) -> str:
    """Return since when there are the rights: of the oldest SearchAccess, or of the API key; empty: not recorded."""
    if finding.holder.since:
        return datetime.fromtimestamp(int(finding.holder.since) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    times = (declared[ref][1].created_at for ref in accesses if ref in declared)
    return min(filter(None, times), default="")


def _use(accesses: Sequence[str], declared: Declared, asking: Asking) -> Use:
    return use_of([declared[ref][0] for ref in accesses if ref in declared], asking.used_until)


def who_data(found: WhoCan, asking: Asking) -> dict[str, Any]:
    """Return everybody who may do something, for scripts."""
    items, declared = [], _by_name(asking)
    for each in found.findings:
        accesses = _declared(each, asking)
        use = _use(accesses, declared, asking)
        items.append(
            {
                "kind": str(each.holder.kind),
                "name": each.holder.name,
                "about": each.holder.about or None,
                "allowed": str(each.outcome),
                **_rights(each.rights),
                "from": _sources(each),
                "searchAccesses": list(accesses),
                "since": _since(each, accesses, declared) or None,
                "usage": use.usage,
                "revisions": list(use.revisions),
                "actingAs": each.acting_as or None,
                "perhapsMore": each.perhaps is not None,
                "doubts": list(each.doubts),
            }
        )
    return {
        "cluster": asking.cluster,
        "action": found.question.action,
        **_target(found.target),
        "field": found.field or None,
        "items": items,
        "unread": list(found.unread),
        "unseen": list(found.unseen),
    }


def _sources(finding: Finding) -> list[str]:
    by: Mapping[str, str] = {each.role: each.by for each in finding.holder.given}
    sources = finding.rights.sources if finding.rights else ()
    if finding.holder.own:
        return ["its own rights"] if len(finding.holder.own) == 1 else ["its own rights, within those of its owner"]
    return [f"{source} by {by[source]}" if source in by else source for source in sources]


def who_shown(found: WhoCan, asking: Asking) -> "Sequence[RenderableType]":
    """Return everybody who may do something, for people."""
    from searchaccess.cli.printing import blocks, table

    rows, declared, now = [], _by_name(asking), time.time()
    for each in found.findings:
        accesses = _declared(each, asking)
        source = some_of([f"SearchAccess {ref}" for ref in accesses] or _sources(each), _SHOWN)
        use = _use(accesses, declared, asking)
        serving = f"revision {some_of(use.revisions, _SHOWN)}" if use.revisions else ""
        if each.acting_as:
            source = f"acting as {each.acting_as}"
        rights = each.rights
        unknown = each.outcome is Outcome.UNKNOWN
        rows.append(
            (
                f"{'? ' if unknown else ''}{each.holder.name}",
                str(each.holder.kind),
                documents_in_words(rights) if rights and found.question.reads else "",
                fields_in_words(rights) if rights and found.question.reads else "",
                "; ".join(
                    filter(None, (rights.how if rights else "", source, serving, *each.doubts[:1], _about(each)))
                ),
                _since(each, accesses, declared),
                last_use(use.usage, now),
            )
        )
    heads = ["WHO", "KIND", "DOCUMENTS", "FIELDS", "FROM", "SINCE", "LAST USED"]
    certain = sum(each.outcome is Outcome.YES for each in found.findings)
    perhaps = len(rows) - certain
    count = f"{certain} may {found.question.action} {found.target.name} in SearchCluster {asking.cluster}"
    more = f"; {perhaps} more perhaps: it depends on what cannot be seen (?)" if perhaps else ""
    styles = ["yellow" if each.outcome is Outcome.UNKNOWN else None for each in found.findings]
    parts: list[RenderableType] = []
    # An empty column takes width from the others.
    shown = len(heads) if any(row[-1] for row in rows) else len(heads) - 1
    cells = [row[:shown] for row in rows]
    if rows and _has_room(heads[:shown], cells, _RIGHTS):
        parts = [table(heads[:shown], cells, styles, {*heads} - {*_RIGHTS}), ""]
    elif rows:
        parts = [*blocks(map(_block, rows)), ""]
    return [*parts, f"{count}{more}", *_limits(found.unread, found.unseen)]


def _block(row: Sequence[str]) -> tuple[str, str]:
    """Return a row as a title and what is below it, without what is not restricted."""
    name, kind, documents, fields, source, since, used = row
    parts = [source, f"documents: {documents}" if documents not in {"", "all"} else ""]
    parts += [f"fields: {fields}" if fields not in {"", "all"} else "", f"since {since}" if since else ""]
    parts += [f"last used: {used}" if used else ""]
    return f"{name} ({kind})", "\n".join(filter(None, parts))


def _about(finding: Finding) -> str:
    return finding.holder.about if finding.holder.kind in {Kind.MAPPING, Kind.KEY, Kind.SERVICE} else ""
