"""Differences, field by field, between the desired state and the observed one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import Entry, MappingBody, canonical_json, plain_json
from searchaccess.core.patterns.marks import is_mark

_APART: Final = "(kept apart)"
"""Represents the mark that keeps an entry apart, whose loss would drop its restriction."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs."""

    object: str
    """Kind and name: ``role/…`` or ``role_mapping/…``."""
    path: str
    want: str
    """JSON; empty: nothing is desired here."""
    have: str
    """JSON; empty: nothing is there."""


def _text(value: Any) -> str:
    return canonical_json(value) if value not in ("", None, (), []) else ""


def _label(entry: Entry) -> str:
    names = ",".join(entry.indices)
    return f"{entry.kind}[{','.join(entry.clusters)}:{names}]" if entry.clusters else f"{entry.kind}[{names}]"


def shown(entry: Entry) -> dict[str, Any]:
    """Return an entry as the role API takes it, but for people."""
    names = _shown_names(entry.names)
    return (entry if names == entry.names else replace(entry, names=names)).to_json()


def _shown_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({_APART if is_mark(name) else name for name in names}))


def diff_entry(target: str, want: Entry, have: Entry) -> list[Difference]:
    """Return the differences between two entries of a role."""
    pairs: list[tuple[str, Any, Any]] = [
        ("privileges", want.privileges, have.privileges),
        ("field_security.grant", want.include, have.include),
        ("field_security.except", want.exclude, have.exclude),
        ("query", want.query, have.query),
        ("allow_restricted_indices", want.restricted or "", have.restricted or ""),
        ("other", want.other, have.other),
        ("clusters", want.clusters, have.clusters),
    ]
    names, called = (_shown_names(want.names), _shown_names(have.names)), "resources" if want.application else "names"
    if names[0] != names[1] or (want.names != have.names and not any(one != other for _, one, other in pairs)):
        # With another restriction, the mark differs too, which is not reported separately.
        pairs.insert(0, (called, *names))
    label = _label(want)
    return [
        Difference(target, f"{label}.{path}", _raw(path, one), _raw(path, other))
        for path, one, other in pairs
        if one != other or path == called
    ]


def _raw(path: str, value: Any) -> str:
    # Queries are canonical JSON already.
    return value if path in {"query", "other"} else _text(value)


def diff_share(target: str, want: Share, have: Share) -> list[Difference]:
    """Return the differences between what a SearchAccess declares and what it has in its role."""
    missing, unexpected = list(want.entries), []
    for entry in have.entries:
        if entry in missing:
            missing.remove(entry)
        else:
            unexpected.append(entry)
    found: list[Difference] = []
    for wanted in missing:
        alike = [entry for entry in unexpected if (entry.kind, entry.names) == (wanted.kind, wanted.names)]
        partner = next((entry for entry in alike if entry.clusters == wanted.clusters), alike[0] if alike else None)
        if partner is None and len(missing) == len(unexpected):
            partner = next((entry for entry in unexpected if entry.kind == wanted.kind), None)
        if partner is None:
            found.append(Difference(target, _label(wanted), plain_json(shown(wanted)), ""))
        else:
            unexpected.remove(partner)
            found.extend(diff_entry(target, wanted, partner))
    found.extend(Difference(target, _label(entry), "", plain_json(shown(entry))) for entry in unexpected)
    if want.cluster != have.cluster:
        found.append(Difference(target, "cluster", _text(want.cluster), _text(have.cluster)))
    return found


def diff_extra(target: str, extra: Share, other: str) -> list[Difference]:
    """Return what somebody added to a role."""
    found = [Difference(target, _label(entry), "", plain_json(shown(entry))) for entry in extra.entries]
    if extra.cluster:
        found.append(Difference(target, "cluster", "", _text(extra.cluster)))
    if other:
        found.append(Difference(target, "other", "", other))
    return found


def diff_metadata(target: str, want: Mapping[str, Any], have: Mapping[str, Any]) -> list[Difference]:
    """Return the keys of the metadata that differ."""
    return [
        Difference(target, f"metadata.{key}", _text(want.get(key)), _text(have.get(key)))
        for key in sorted({*want, *have})
        if want.get(key) != have.get(key)
    ]


def diff_mapping(target: str, want: MappingBody, have: MappingBody) -> list[Difference]:
    """Return the differences between two role mappings."""
    pairs: list[tuple[str, str, str]] = [
        ("enabled", _flag(value=want.enabled), _flag(value=have.enabled)),
        ("rules", want.rules, have.rules),
        ("roles", _text(want.roles), _text(have.roles)),
        ("role_templates", want.templates, have.templates),
    ]
    return [Difference(target, path, one, other) for path, one, other in pairs if one != other]


def _flag(*, value: bool) -> str:
    return "true" if value else "false"
