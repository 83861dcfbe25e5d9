"""Kibana's rights as Elasticsearch keeps them: privileges of an application, on resources that stand for spaces.

Kibana reads its users' rights from there, and registers what each of the privileges means. See docs/adr/0037.
"""

import re
from collections.abc import Iterator

from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.api.vocabulary.kibana import FEATURE_LENGTH, FEATURE_PATTERN, SPACE_PATTERN, KibanaGrant
from searchaccess.core.model.canonical import KIBANA, Entry

_EVERY_SPACE = "*"
_PRIVILEGE = re.compile(r"(space_)?(read|all)|feature_[a-zA-Z0-9_-]+\.(read|all)")
_RESOURCE = re.compile(r"[*]|space:[a-z0-9_-]+")


def kibana_entries(spec: SearchAccessSpec) -> Iterator[Entry]:
    """Yield the rights in Kibana that a spec declares: one entry per grant."""
    for grant in spec.kibana or ():
        everywhere = _EVERY_SPACE in grant.spaces
        resources = grant.spaces if everywhere else [f"space:{space}" for space in grant.spaces]
        base = [f"{'' if everywhere else 'space_'}{grant.base}"] if grant.base else []
        features = [f"feature_{name}.{level}" for name, level in grant.features.items()]
        yield Entry(tuple(sorted(set(resources))), tuple(sorted({*base, *features})), application=KIBANA)


def is_kibana_entry(entry: Entry) -> bool:
    """Return whether a SearchAccess can declare such an entry for an application."""
    return (
        entry.application == KIBANA
        and all(map(_PRIVILEGE.fullmatch, entry.privileges))
        and all(map(_RESOURCE.fullmatch, entry.names))
    )


def kibana_problem(spec: SearchAccessSpec) -> str:
    """Return what no space and no feature can be named; empty: all is well."""
    for position, grant in enumerate(spec.kibana or ()):
        if problem := _problem_of(grant):
            return f"spec.kibana[{position}].{problem}"
    return ""


def _problem_of(grant: KibanaGrant) -> str:
    for space in grant.spaces:
        if not re.fullmatch(SPACE_PATTERN, space):
            return f"spaces: {space!r} is not the ID of a space"
    for name in grant.features:
        if len(name) > FEATURE_LENGTH or not re.fullmatch(FEATURE_PATTERN, name):
            return f"features: {name!r} is not the ID of a feature"
    return ""
