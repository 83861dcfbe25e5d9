"""Audit events in Cloud Logging, by the official asynchronous client.

https://cloud.google.com/logging/docs/reference/v2/rpc/google.logging.v2#loggingservicev2
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from google.api_core.client_options import ClientOptions
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient
from google.protobuf.json_format import MessageToDict

from searchaccess.adapters.googlecloud.account import OperatorAccount
from searchaccess.adapters.googlecloud.errors import mapped_writing
from searchaccess.core.answers.audit.events import AuditEvent, from_document
from searchaccess.ports.errors import LoginMissing, PermissionDenied, Rejected, Throttled, Unreachable

PAGE: Final = 1000
"""Entries of an answer; Cloud Logging gives no more."""
TIMEOUT: Final = 60.0
"""Seconds."""
TRIES: Final = 8
"""Of one request: the quota is 60 requests a minute."""
LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries."""
_READER: Final = ("https://www.googleapis.com/auth/logging.read",)
_OLDEST_FIRST: Final = "timestamp asc"


class LogEntries:
    """Reads log entries of one project.

    Args:
        project: its id.
        endpoint: in place of ``logging.googleapis.com``, such as one of Private Service Connect.
        account: whose requests these are; None: that of the application default credentials.
        pause: waits some seconds.
    """

    def __init__(
        self,
        project: str,
        endpoint: str = "",
        account: OperatorAccount | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._project = project
        self._endpoint = endpoint
        self._account = account or OperatorAccount(_READER)
        self._pause = pause
        self._client: Any = None

    async def events(self, chosen: str) -> AsyncIterator[list[AuditEvent]]:
        """Read the audit events among entries, page by page.

        Args:
            chosen: the filter.

        Raises:
            PermissionDenied: the account may not read logs.
            Rejected: Cloud Logging does not take the filter.
            ExternalError: they cannot be read.
        """
        following = ""
        while True:
            page = await self._page(chosen, following)
            yield [event for entry in page.entries if (event := event_in(entry)) is not None]
            following = page.next_page_token
            if not following:
                return

    async def close(self) -> None:
        """Close connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.transport.close()

    async def _page(self, chosen: str, following: str) -> Any:
        wait = 1.0
        for tried in range(1, TRIES + 1):
            try:
                return await self._ask(chosen, following)
            except (Throttled, Unreachable):
                if tried == TRIES:
                    raise
            await self._pause(wait)
            wait = min(2 * wait, LONGEST_PAUSE)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    async def _ask(self, chosen: str, following: str) -> Any:
        where = f"projects/{self._project}"
        request = {
            "resource_names": [where],
            "filter": chosen,
            "order_by": _OLDEST_FIRST,
            "page_size": PAGE,
            "page_token": following,
        }
        what = f"Cloud Logging, {where}"
        try:
            with mapped_writing(what):
                credentials = await self._account.credentials()
                if self._client is None:
                    options = ClientOptions(api_endpoint=self._endpoint or None)
                    self._client = LoggingServiceV2AsyncClient(credentials=credentials, client_options=options)
                pager = await self._client.list_log_entries(request=request, retry=None, timeout=TIMEOUT)
                return await anext(aiter(pager.pages))
        except PermissionDenied:
            text = "your account lacks logging.logEntries.list (roles/logging.viewer), or the API is not enabled there"
            raise PermissionDenied(f"{what}: {text}") from None
        except LoginMissing:
            text = "there is no Google account: run gcloud auth application-default login"
            raise LoginMissing(f"{what}: {text}") from None
        except Rejected:
            text = "it does not take the filter: check the project's id and --log-name"
            raise Rejected(f"{what}: {text}") from None


def event_in(entry: Any) -> AuditEvent | None:
    """Return the audit event in a log entry; None: it has none.

    Args:
        entry: a ``LogEntry``. Agents may take the time out of the payload; then it is that of the entry.
    """
    raw = type(entry).pb(entry)
    if not raw.HasField("json_payload"):
        return None
    payload = MessageToDict(raw.json_payload)
    if "timestamp" not in payload and "@timestamp" not in payload and raw.HasField("timestamp"):
        payload["timestamp"] = raw.timestamp.ToJsonString()
    event = from_document(payload)
    return event if event.kind and event.written else None
