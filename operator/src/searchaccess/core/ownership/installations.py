"""Which installation of the operator wrote an object in Elasticsearch, by its metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.constants import MANAGED_BY, ROLE_PREFIX
from searchaccess.core.model.intake.reading import shortened, text

LONGEST: Final = 128
"""Characters of an instance's name and of a controller's id."""


@dataclass(frozen=True, slots=True, order=True)
class Installation:
    """One installation of the operator in one Kubernetes cluster."""

    instance: str
    controller: str
    """Uid of the namespace kube-system."""

    @property
    def prefix(self) -> str:
        """Prefix of the names of its roles, and name of its one role mapping."""
        return prefix_of(self.instance)

    def names(self, name: str) -> bool:
        """Return whether a role or role mapping of this name would be one of its own."""
        return name == self.prefix or name.startswith(f"{self.prefix}.")


def prefix_of(instance: str) -> str:
    """Return the prefix of the names of an installation's roles."""
    return f"{ROLE_PREFIX}.{instance}"


def installation_of(metadata: Any) -> Installation | None:
    """Return the installation that an object belongs to, by its metadata; None: it belongs to no operator."""
    if not isinstance(metadata, Mapping) or metadata.get("managed_by") != MANAGED_BY:
        return None
    instance, controller = (shortened(text(metadata.get(key)) or "", LONGEST) for key in ("instance", "controller"))
    return Installation(instance, controller)
