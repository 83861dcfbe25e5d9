"""The Secret and the registration of the webhook, in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from searchaccess.ports.errors import Conflict, ExternalError
from searchaccess.ports.webhooks import KeptSecret, Registration


class MemoryWebhooks:
    """What the API server keeps of both; others have a turn before each answer."""

    def __init__(self, *names: str) -> None:
        self.names = names or ("127.0.0.1",)
        self.values: Mapping[str, str] = {}
        self.authorities: tuple[str, ...] = ()
        self.written: list[str] = []
        self.error: ExternalError | None = None
        self.published: list[tuple[str, ...]] = []
        self.after_a_read: Callable[[], Awaitable[None]] | None = None
        """What somebody else does once something was read."""
        self._versions = {"secret": 1, "registration": 1}

    async def read_secret(self) -> KeptSecret:
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        found = KeptSecret(dict(self.values), str(self._versions["secret"]))
        await self._let_others()
        return found

    async def write_secret(self, values: Mapping[str, str], secret: KeptSecret) -> None:
        await asyncio.sleep(0)
        self._write("secret", secret.version)
        self.values = dict(values)

    async def read_registration(self) -> Registration:
        await asyncio.sleep(0)
        found = Registration(self.names, self.authorities, 1, str(self._versions["registration"]))
        await self._let_others()
        return found

    async def publish(self, authorities: Sequence[str], registration: Registration) -> None:
        await asyncio.sleep(0)
        self._write("registration", registration.version)
        self.authorities = tuple(authorities)
        self.published.append(self.authorities)

    async def _let_others(self) -> None:
        others, self.after_a_read = self.after_a_read, None
        if others:
            await others()

    def _write(self, what: str, version: str) -> None:
        if version != str(self._versions[what]):
            raise Conflict("somebody wrote it meanwhile")
        self._versions[what] += 1
        self.written.append(what)
