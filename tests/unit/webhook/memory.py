"""The Secret and the registration of the webhook, in memory."""

from collections.abc import Mapping, Sequence

from searchaccess.ports.errors import Conflict, ExternalError
from searchaccess.ports.webhooks import KeptSecret, Registration


class MemoryWebhooks:
    """What the API server keeps of both."""

    def __init__(self, *names: str) -> None:
        self.names = names or ("127.0.0.1",)
        self.values: Mapping[str, str] = {}
        self.authorities: tuple[str, ...] = ()
        self.written: list[str] = []
        self.error: ExternalError | None = None
        self._versions = {"secret": 1, "registration": 1}

    async def read_secret(self) -> KeptSecret:
        if self.error:
            raise self.error
        return KeptSecret(dict(self.values), str(self._versions["secret"]))

    async def write_secret(self, values: Mapping[str, str], secret: KeptSecret) -> None:
        self._write("secret", secret.version)
        self.values = dict(values)

    async def read_registration(self) -> Registration:
        return Registration(self.names, self.authorities, 1, str(self._versions["registration"]))

    async def publish(self, authorities: Sequence[str], registration: Registration) -> None:
        self._write("registration", registration.version)
        self.authorities = tuple(authorities)

    def _write(self, what: str, version: str) -> None:
        if version != str(self._versions[what]):
            raise Conflict("somebody wrote it meanwhile")
        self._versions[what] += 1
        self.written.append(what)
