"""The Google account that the operator runs as."""

import asyncio
from typing import Any, Final

import google.auth
from google.auth.transport.requests import Request

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"


class OperatorAccount:
    """Credentials for Google's clients, found where the process runs."""

    def __init__(self) -> None:
        self._credentials: Any = None
        self._asking = asyncio.Lock()

    async def credentials(self) -> Any:
        """Give credentials with a token that is good now.

        Raises:
            GoogleAuthError: there is no account, or it gets no token.
        """
        async with self._asking:
            if self._credentials is None:
                self._credentials, _ = await asyncio.to_thread(google.auth.default, scopes=[_SCOPE])
            # gRPC would do it too, but what goes wrong in its plugin looks as if Google did not answer.
            if not self._credentials.valid:
                await asyncio.to_thread(self._credentials.refresh, Request())
            return self._credentials
