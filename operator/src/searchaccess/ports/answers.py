"""What the command line asks a cluster about who may do what, beside what the loop reads."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class AnswersPort(Protocol):
    """A cluster's security as a whole, and what Elasticsearch says itself. Every method raises only ``ExternalError``.

    Objects are as readable as those of ``ElasticsearchPort.roles``.
    """

    async def all_users(self) -> Mapping[str, dict[str, Any]]:
        """Read all users of the native and the reserved realm, by name (one request)."""

    async def all_keys(self) -> Sequence[dict[str, Any]]:
        """Read all API keys that work, with the roles that limit them (one request)."""

    async def service_accounts(self) -> Mapping[str, dict[str, Any]]:
        """Read Elasticsearch's own service accounts, by name (one request)."""

    async def security_settings(self) -> Mapping[str, Any]:
        """Read which realms the nodes have, and which roles requests without a login get (one request).

        Returns:
            ``nodes`` of the answer, with the settings below ``xpack.security.authc``, without secrets.
        """

    async def may(
        self, names: Sequence[str], privileges: Sequence[str], acting_as: str = ""
    ) -> Mapping[str, Mapping[str, bool]]:
        """Ask which privileges this login has on indices (one request).

        Args:
            names: of the indices.
            privileges: names of privileges or actions.
            acting_as: the user for whom it is asked (``run_as``); empty: for itself.

        Returns:
            By index and privilege, whether it has it.

        Raises:
            PermissionDenied: it may not act as this user, or there is none.
        """

    async def who(self) -> Mapping[str, Any]:
        """Ask who this login is (one request): its username, roles, realm and type, as Elasticsearch says."""

    async def finds(self, index: str, document: str, queries: Sequence[str]) -> bool | None:
        """Ask whether a document matches any of some queries (one request).

        Args:
            index: its name.
            document: its id.
            queries: JSON; none: whether there is such a document at all.

        Returns:
            None: there is no such document, as far as the login sees.
        """
