"""The operator's own Google identity, by Google's auth library."""

import asyncio

from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2.id_token import fetch_id_token_credentials

from searchaccess.ports.errors import LoginMissing


class IdentityTokens:
    """Identity tokens of the account that the operator runs as, renewed minutes before they expire.

    They come from the metadata server (Workload Identity on GKE, Cloud Run), or from the credentials in
    ``GOOGLE_APPLICATION_CREDENTIALS``.
    https://cloud.google.com/docs/authentication/get-id-token

    Args:
        audience: of the tokens.
    """

    def __init__(self, audience: str) -> None:
        self._audience = audience
        self._credentials: Credentials | None = None
        self._renewing = asyncio.Lock()

    async def get(self) -> str:
        """Return a token that is valid for at least some minutes.

        Raises:
            LoginMissing: Google provides none.
        """
        async with self._renewing:
            if self._credentials is None or not self._credentials.valid:
                self._credentials = await asyncio.to_thread(self._renew, self._credentials)
            return str(self._credentials.token)

    def _renew(self, known: Credentials | None) -> Credentials:
        request = Request()
        try:
            credentials: Credentials = known or fetch_id_token_credentials(self._audience, request=request)
            credentials.refresh(request)
        except (GoogleAuthError, OSError, ValueError) as error:
            # Its message may contain the response of whatever replaces the metadata server.
            raise LoginMissing(
                f"the operator gets no identity token: {type(error).__name__}; run it with Workload Identity on GKE, "
                "on Cloud Run, or with GOOGLE_APPLICATION_CREDENTIALS"
            ) from None
        return credentials
