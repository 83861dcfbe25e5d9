"""The workload's Google identity token, kept fresh."""

import contextlib
import re
import threading
import time
from typing import Any, Final

from elasticsearch import TransportError
from google.auth.credentials import Credentials, TokenState
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2.id_token import fetch_id_token_credentials

LIMIT: Final = 5.0
"""Seconds after which a fetch is abandoned. Google's library alone would retry for half a minute and longer."""
PAUSE: Final = 15.0
"""Seconds between two attempts to renew a token that is still valid, or that Elasticsearch refuses."""


_TOKEN: Final = re.compile(r"[\w=-]+\.[\w=-]+\.[\w=-]+", re.ASCII)
_NO_TOKEN: Final = (ValueError, TypeError, LookupError, ArithmeticError)
"""Errors of Google's library for an answer that is not a token, or a token without an expiry time."""


class IdentityTokenMissing(TransportError):
    """Google provides no identity token, so nothing was sent to Elasticsearch."""


class _TooSlow(GoogleAuthError):
    """The metadata server did not answer in time."""


class _Bounded(Request):
    """Sends requests to the metadata server for some seconds; then it ends Google's retries."""

    def __init__(self) -> None:
        super().__init__()
        self._end = time.monotonic() + LIMIT

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: Any = None,
        headers: Any = None,
        timeout: float | None = None,
        **options: Any,
    ) -> Any:
        left = self._end - time.monotonic()
        if left <= 0:
            raise _TooSlow
        seconds = left if timeout is None else min(timeout, left)
        return super().__call__(url, method, body, headers, seconds, **options)  # type: ignore[no-untyped-call]


def _require_token(credentials: Credentials) -> None:
    """Refuse what cannot be a header: the errors of HTTP libraries would show it."""
    if not _TOKEN.fullmatch(str(credentials.token)):
        credentials.token = None
        raise ValueError("not a token")


class IdentityTokens:
    """Identity tokens for one audience: from the metadata server, or through ``GOOGLE_APPLICATION_CREDENTIALS``.

    A token is valid for at most an hour, and the metadata server returns the same one until about four minutes before
    it expires. Google's library calls it stale 3 min 45 s before it expires. Then it is renewed in the background:
    nobody waits, and the old one is used until that succeeds. Any number of threads may share this object. One thread
    fetches at a time, and waiting threads share the result. https://cloud.google.com/docs/authentication/get-id-token

    Args:
        audience: of the tokens: one of the ``allowed_audiences`` of Elasticsearch's JWT realm.
    """

    def __init__(self, audience: str) -> None:
        self._audience = audience
        self._credentials: Credentials | None = None
        self._fetching = threading.Lock()
        self._tries = 0
        self._failure = ""
        self._stale_rest = 0.0
        self._refused_rest = 0.0

    def at_hand(self) -> str | None:
        """Return the token if it is still valid, without waiting."""
        credentials = self._credentials
        if credentials is None or credentials.token_state is TokenState.INVALID:
            return None
        if credentials.token_state is TokenState.STALE and time.monotonic() >= self._stale_rest:
            self._stale_rest = time.monotonic() + PAUSE
            threading.Thread(target=self._renew_in_background, args=(self._tries,), daemon=True).start()
        return str(credentials.token)

    def get(self) -> str:
        """Return a valid token; blocks while one is fetched.

        Raises:
            IdentityTokenMissing: there is none.
        """
        tries = self._tries
        return self.at_hand() or self._renew(tries)

    def another(self, refused: str) -> str | None:
        """Return a token for one retry, after Elasticsearch refused one; blocks while it is fetched.

        Args:
            refused: the token that was answered with 401.

        Returns:
            None if there is none, or if this was attempted a moment ago: then the refusal is final.
        """
        with self._fetching:
            if self._credentials is None:
                return None
            if self._credentials.token == refused:
                if time.monotonic() < self._refused_rest:
                    return None
                self._refused_rest = time.monotonic() + PAUSE
                self._fetch()
            return None if self._failure else str(self._credentials.token)

    def _renew_in_background(self, tries: int) -> None:
        with contextlib.suppress(IdentityTokenMissing):  # The old one is still valid.
            self._renew(tries)

    def _renew(self, tries: int) -> str:
        """Fetch a token, unless another thread has tried since `tries`: then use its result."""
        with self._fetching:
            if self._tries == tries:
                self._fetch()
            if self._failure or self._credentials is None:
                raise IdentityTokenMissing(f"no identity token for {self._audience}: {self._failure}")
            return str(self._credentials.token)

    def _fetch(self) -> None:
        request = _Bounded()
        # Messages of these errors have what the metadata server, or whatever replaces it, answered: left out.
        try:
            credentials: Credentials = self._credentials or fetch_id_token_credentials(self._audience, request=request)
            credentials.refresh(request)
            _require_token(credentials)
        except _NO_TOKEN as error:
            self._failure = (
                f"what Google's token endpoint answers is no token ({type(error).__name__}); every call retries"
            )
        except DefaultCredentialsError:
            self._failure = (
                "no metadata server answers, and GOOGLE_APPLICATION_CREDENTIALS names no service account key; "
                "run this on Cloud Run, GCE or GKE with Workload Identity"
            )
        except _TooSlow:
            self._failure = f"the metadata server returned none within {LIMIT:.0f} s; every call retries"
        except GoogleAuthError as error:
            self._failure = f"the metadata server returns none ({type(error).__name__}); every call retries"
        else:
            self._credentials, self._failure = credentials, ""
        self._tries += 1
