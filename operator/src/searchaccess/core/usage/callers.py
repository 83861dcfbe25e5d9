"""Which SearchAccesses a use in the audit log belongs to."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from searchaccess.core.model.access import Access
from searchaccess.core.rights.ownership import Operator
from searchaccess.core.usage.uses import Use

# As ``credentials.keys.key_name`` and ``credentials.users.user_name`` write them.
_KEY: Final = re.compile(r"([a-z0-9-]+)/([a-z0-9.-]+)\.\d+")
_USER: Final = re.compile(r"([a-z0-9-]+)/([a-z0-9.-]+)\.\d+\.[0-9a-f]{8}")


class Callers:
    """The callers of a SearchCluster's SearchAccesses, by the names that events have.

    Args:
        operator: this operator.
        gateway: whether callers run as native users, named as their roles.
        login: name of the operator's own user, which owns the API keys; empty: not known.
    """

    def __init__(self, operator: Operator, *, gateway: bool, login: str) -> None:
        self._prefix = operator.role_name("")
        self._gateway = gateway
        self._login = login
        self._by_user: dict[str, list[str]] = defaultdict(list)
        self._by_key: dict[str, str] = {}
        self._by_path: dict[tuple[str, str], str] = {}

    def add(self, access: Access, key_id: str = "") -> bool:
        """Add a SearchAccess; return whether events can name its callers.

        Args:
            access: the SearchAccess.
            key_id: of its newest API key, as its status has it; empty: none.
        """
        if access.has_credential:
            self._by_path[access.namespace, access.name] = access.uid
            if key_id:
                self._by_key[key_id] = access.uid
            return True
        for principal in access.principals:
            self._by_user[self._prefix + principal if self._gateway else principal].append(access.uid)
        return bool(access.principals)

    @property
    def users(self) -> tuple[str, ...]:
        """Names of users to ask for, besides those with the prefix."""
        return () if self._gateway else tuple(sorted(self._by_user))

    @property
    def prefix(self) -> str:
        """What our names begin with; empty: no caller has such a name."""
        return self._prefix if self._by_path or self._gateway else ""

    def latest(self, uses: Iterable[Use]) -> dict[str, float]:
        """Return when each SearchAccess was last used, by uid, as far as these uses say."""
        found: dict[str, float] = {}
        for use in uses:
            for uid in self._of(use):
                found[uid] = max(use.at, found.get(uid, use.at))
        return found

    def _of(self, use: Use) -> Iterable[str]:
        if not use.key_id:
            if users := self._by_user.get(use.user):
                return users
            return self._named(_USER, use.user)
        if known := self._by_key.get(use.key_id):
            return [known]
        # Whoever makes a key chooses its name; only ours are owned by our login.
        return self._named(_KEY, use.key_name) if self._login and use.user == self._login else ()

    def _named(self, form: re.Pattern[str], name: str) -> Iterable[str]:
        found = form.fullmatch(name.removeprefix(self._prefix)) if name.startswith(self._prefix) else None
        uid = self._by_path.get((found[1], found[2])) if found else None
        return [uid] if uid else ()
