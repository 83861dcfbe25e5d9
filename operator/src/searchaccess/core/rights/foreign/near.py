"""Finds the role mappings that may apply to a caller, among thousands that name users literally."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from searchaccess.core.rights.foreign.mappings import ForeignMapping

T = TypeVar("T")


class NearMappings:
    """Role mappings by the names of users to whom they apply.

    Args:
        mappings: all of them.
    """

    def __init__(self, mappings: Iterable[ForeignMapping]) -> None:
        self.all = tuple(mappings)
        self.by_name: dict[str, list[ForeignMapping]] = {}
        """Those that apply only to users with certain names."""
        self.general: list[ForeignMapping] = []
        """Those that may apply to users with any name."""
        for each in self.all:
            for name in each.only or ():
                self.by_name.setdefault(name, []).append(each)
            if each.only is None:
                self.general.append(each)

    def near(self, names: Collection[str], *, named: bool) -> Sequence[ForeignMapping]:
        """Return the role mappings that may apply to a caller, by name.

        Args:
            names: of the caller, as far as they are known.
            named: whether these are all of them.
        """
        if not named:
            return self.all
        found = {each.name: each for each in [*self.general, *with_names(self.by_name, names)]}
        return [found[name] for name in sorted(found)]


def with_names(known: Mapping[str, Sequence[T]], names: Collection[str]) -> list[T]:
    """Return what is known of some names, in the order of these."""
    return [each for name in sorted(names) for each in known.get(name, ())]
