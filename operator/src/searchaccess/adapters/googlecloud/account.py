"""The Google account that the operator runs as."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import google.auth
from google.auth.credentials import TokenState
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)


class OperatorAccount:
    """Credentials for Google's clients, found where the process runs.

    Args:
        scopes: what tokens are good for.
    """

    def __init__(self, scopes: Sequence[str] = _SCOPES) -> None:
        self._scopes = list(scopes)
        self._credentials: Any = None
        self._asking = asyncio.Lock()

    async def credentials(self) -> Any:
        """Return credentials with a valid token.

        Raises:
            GoogleAuthError: there is no account, or it gets no token.
        """
        async with self._asking:
            if self._credentials is None:
                self._credentials, _ = await asyncio.to_thread(google.auth.default, scopes=self._scopes)
            state = self._credentials.token_state
            # gRPC would do it too, but an error in its plugin looks as if Google did not answer.
            if state is not TokenState.FRESH:
                try:
                    await asyncio.to_thread(self._credentials.refresh, Request())
                except GoogleAuthError:
                    # A token that is about to expire is still usable.
                    if state is TokenState.INVALID:
                        raise
            return self._credentials
