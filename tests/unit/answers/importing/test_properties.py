"""Whatever roles there are: what is imported grants the same, and what the operator wrote comes back as it was."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import given, settings

from searchaccess.api.searchaccess import Mode
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import Entry, RoleBody, role_from_json
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.patterns.wildcards import matches
from searchaccess.core.rights.attribution import split
from searchaccess.core.rights.compose import compose
from searchaccess.core.rights.ownership import RoleMetadata
from tests.support.runs.effort import examples
from tests.unit.answers.importing.having import ORDERS, a_mapping, imported
from tests.unit.builders import OPERATOR, members_of
from tests.unit.strategies import accesses, raw_roles

FIELDS = ("amount", "amount.keyword", "customer", "customer.ssn", "customer.ssn.keyword", "region", "region.x", "other")


def composed(access: Access) -> RoleBody:
    """Return the role that the loop writes for one SearchAccess once it is enforced."""
    metadata = RoleMetadata(ORDERS)
    members = members_of(replace(access, mode=Mode.ENFORCE))
    role = compose(OPERATOR, ORDERS, members, None, metadata, split(RoleBody(), metadata))
    assert role is not None
    return role.body


def has_readable_numbers(access: Access) -> bool:
    """Return whether no query has a number like 1e40: its canonical form has more digits than a ``where`` may have."""
    return not any(re.search(r"[0-9]{16}", entry.query) for entry in access.share.entries)


def brought_in(role: dict[str, Any]) -> list[Access]:
    """Import a role that one service account has, as the loop reads the result."""
    return [access_from_object(one.manifest) for one in imported({"orders": role}, {"team": a_mapping("orders")}).made]


def without_marks(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry as somebody would write it by hand."""
    return entry | {"names": [name for name in entry["names"] if not is_mark(name)]}


def visible(entry: Entry) -> list[bool]:
    """Return which fields of a sample an entry lets be read."""

    def any_of(patterns: tuple[str, ...], name: str) -> bool:
        return any(matches(pattern, name) for pattern in patterns)

    return [any_of(entry.include, name) and not any_of(entry.exclude, name) for name in FIELDS]


def meanings(entries: tuple[Entry, ...]) -> Iterator[tuple[object, ...]]:
    """Yield what entries mean, without what tells those of equal meaning apart."""
    for entry in entries:
        yield entry.indices, entry.privileges, entry.query, entry.clusters, entry.application, tuple(visible(entry))


@given(access=accesses().filter(has_readable_numbers))
@settings(max_examples=examples(300))
def test_the_role_of_a_search_access_is_imported_as_one_with_the_same_role(access: Access) -> None:
    before = composed(access)
    [after] = brought_in(before.to_json())
    assert replace(composed(after), description="").sorted() == replace(before, description="").sorted()


@given(access=accesses().filter(has_readable_numbers))
@settings(max_examples=examples(300))
def test_the_same_role_written_by_hand_is_imported_with_the_same_meaning_or_reported(access: Access) -> None:
    before = composed(access)
    role = before.to_json()
    by_hand = role | {"indices": [without_marks(entry) for entry in role["indices"]]}
    found = imported({"orders": by_hand}, {"team": a_mapping("orders")})
    # Without marks, Elasticsearch merges entries with the same names: what it does not apply is reported.
    assert {str(one.why) for one in found.leftovers} <= {"Merged"}
    granted = {
        one
        for made in found.made
        for one in meanings(tuple(entry for entry in composed(access_from_object(made.manifest)).entries))
    }
    expected = set(meanings(before.entries))
    assert granted <= expected
    assert found.leftovers or granted == expected


@given(role=raw_roles())
@settings(max_examples=examples(300))
def test_no_search_access_grants_anything_that_the_role_does_not(role: dict[str, Any]) -> None:
    has = role_from_json(role)
    for access in brought_in(role):
        assert not access.invalid
        assert not access.widens
        assert set(access.share.cluster) <= set(has.cluster)
        assert set(meanings(access.share.entries)) <= set(meanings(has.entries))
