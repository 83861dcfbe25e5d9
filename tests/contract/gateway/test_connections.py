"""Connections of callers end after some time, so that callers spread over new pods; no request fails by that."""

import threading
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection

from searchaccess.core.gateway.settings import GatewaySettings
from tests.contract.gateway.attacks.row import CALLER
from tests.contract.gateway.tokens import Forger
from tests.contract.gateway.wire import connect
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import Answer, Arrived, Recorder
from tests.support.waiting import eventually
from tests.support.worlds.gatewayload import load

_HEAD: Final = 9
_ANSWER: Final = 1
_GOES_AWAY: Final = 7
"""Bytes of the head of a frame, and kinds of frames (RFC 9113)."""


def test_an_old_connection_ends_with_an_answer_and_no_request_fails(settings: GatewaySettings, forger: Forger) -> None:
    # Longer than a busy machine takes for a handshake: a connection without any request ends by then.
    with Gateway(settings, connection_seconds=5) as gateway:
        with load(gateway, forger.mint(CALLER)) as callers:
            # Four callers: each has connected again.
            eventually(lambda: gateway.statistic("http.gateway.downstream_cx_max_duration_reached") >= 4, within=60)
            callers.goes_on()
        assert gateway.statistic("http.gateway.downstream_cx_total") >= 8


def test_an_old_connection_of_http_2_goes_away_after_the_request_that_is_under_way(
    settings: GatewaySettings, recorder: Recorder, forger: Forger
) -> None:
    recorder.arrived.clear()
    goes_away = threading.Event()

    def answers(_: Arrived) -> Answer:
        assert goes_away.wait(60)
        return Answer()

    recorder.answers = answers
    try:
        with Gateway(settings, connection_seconds=3) as gateway, connect(gateway, "h2") as connection:
            client = H2Connection(H2Configuration(client_side=True))
            client.initiate_connection()
            head = [
                (":method", "GET"),
                (":path", "/orders/_doc/1"),
                (":scheme", "https"),
                (":authority", "es.example.com"),
                ("authorization", f"Bearer {forger.mint(CALLER)}"),
            ]
            client.send_headers(1, head, end_stream=True)
            connection.sendall(client.data_to_send())
            received = b""
            while (_ANSWER, 1) not in (frames := _frames(received)) and (part := connection.recv(65536)):
                received += part
                if _GOES_AWAY in {kind for kind, _ in _frames(received)}:
                    goes_away.set()
    finally:
        recorder.answers = lambda _: Answer()
    kinds = [kind for kind, _ in frames]
    assert kinds.index(_GOES_AWAY) < kinds.index(_ANSWER)
    assert len(recorder.arrived) == 1


def _frames(received: bytes) -> list[tuple[int, int]]:
    """Kind and stream of each frame, as far as they are complete. The library h2 reads nothing after a GOAWAY."""
    found = []
    while len(received) >= _HEAD:
        length, kind, stream = int.from_bytes(received[:3]), received[3], int.from_bytes(received[5:_HEAD])
        found.append((kind, stream))
        received = received[_HEAD + length :]
    return found
