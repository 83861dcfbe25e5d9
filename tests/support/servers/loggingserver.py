"""Cloud Logging by gRPC over TLS on Google's own messages. It is next to the tests, as there is no emulator.

It knows ``ListLogEntries``, with paging and errors on demand. It does not evaluate filters, but refuses those that have
no balanced quotes and parentheses.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

import grpc
from google.cloud.logging_v2 import types

from tests.stack.trust.certificates import ServerCertificate

_SERVICE: Final = "google.logging.v2.LoggingServiceV2"
_MOST: Final = 1000


class LoggingServer:
    """The API, on a free loopback port.

    Args:
        certificate: what it shows.
        page: how many entries an answer has at most.
    """

    def __init__(self, certificate: ServerCertificate, page: int = _MOST) -> None:
        self.entries: list[types.LogEntry] = []
        self.requests: list[types.ListLogEntriesRequest] = []
        self.statuses: list[grpc.StatusCode] = []
        """With what the next requests are answered."""
        self._page = page
        self._server = grpc.server(ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(
            self._answer,
            request_deserializer=types.ListLogEntriesRequest.deserialize,
            response_serializer=types.ListLogEntriesResponse.serialize,
        )
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(_SERVICE, {"ListLogEntries": handler})]
        )
        credentials = grpc.ssl_server_credentials(
            [(certificate.key_file.read_bytes(), certificate.certificate_file.read_bytes())]
        )
        self.address = f"127.0.0.1:{self._server.add_secure_port('127.0.0.1:0', credentials)}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=0).wait()

    def _answer(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.requests.append(request)
        if not str(dict(context.invocation_metadata()).get("authorization", "")).startswith("Bearer "):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")
        if self.statuses:
            context.abort(self.statuses.pop(0), "as configured: secret-in-a-message")
        if not is_well_formed(request.filter) or not 0 < request.page_size <= _MOST:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Unparseable filter: {request.filter}")
        start, size = int(request.page_token or 0), min(self._page, request.page_size)
        rest = str(start + size) if start + size < len(self.entries) else ""
        return types.ListLogEntriesResponse(entries=self.entries[start : start + size], next_page_token=rest)


def literals(text: str, each: Callable[[str], object] = lambda _literal: None) -> str:
    """Return a filter without its quoted texts, each of which is passed on as it is meant.

    Raises:
        ValueError: a quoted text does not end, or has an escape that there is not.
    """
    rest, characters = "", iter(text)
    for character in characters:
        if character != '"':
            rest += character
            continue
        literal = ""
        for inner in characters:
            if inner == '"':
                break
            literal += _unescaped(characters) if inner == "\\" else inner
        else:
            raise ValueError("a quoted text does not end")
        each(literal)
        rest += "§"
    return rest


def _unescaped(characters: Any) -> str:
    kind = next(characters)
    if kind in '"\\':
        return str(kind)
    if kind == "u":
        return chr(int("".join(next(characters) for _ in range(4)), 16))
    raise ValueError(f"no escape: {kind}")


def is_well_formed(text: str) -> bool:
    """Say whether quotes and parentheses are balanced."""
    try:
        rest = literals(text)
    except (ValueError, StopIteration, RuntimeError):
        return False
    depth = 0
    for character in rest:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0
