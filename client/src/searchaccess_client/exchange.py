"""The attempts of one request until its final outcome: what both transports have in common."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from elastic_transport import AsyncTransport, HttpHeaders, Transport
from elastic_transport.client_utils import DefaultType, resolve_default

from searchaccess_client.attempts import Attempt, Before, Rules, is_read
from searchaccess_client.failures import Unanswered, explain, failure_of

ONCE: Final[dict[str, Any]] = {"max_retries": 0, "retry_on_status": (), "retry_on_timeout": False}
"""Options that let Elastic's transport send a request once: whether it is sent again is decided here."""


@dataclass(frozen=True)
class Options:
    """Elastic's own options of one request, as its client gives them."""

    max_retries: int | DefaultType
    retry_on_status: Collection[int] | DefaultType
    retry_on_timeout: bool | DefaultType

    def rules(self, transport: Transport | AsyncTransport, method: str, target: str, headers: HttpHeaders) -> Rules:
        """Return the rules for a request.

        Args:
            transport: its options apply where the request gives none.
            method: of the request.
            target: its path and query.
            headers: its headers; a login of its own is not replaced.
        """
        return Rules(
            read=is_read(method, target),
            retries=resolve_default(self.max_retries, transport.max_retries),
            statuses=resolve_default(self.retry_on_status, transport.retry_on_status),
            on_timeout=resolve_default(self.retry_on_timeout, transport.retry_on_timeout),
            other_nodes=len(transport.node_pool) - 1,
            renewable="authorization" not in headers,  # As client.options(api_key=...) sets it.
        )


class Exchange:
    """The attempts to send one request.

    Args:
        rules: what the request allows.
    """

    def __init__(self, rules: Rules) -> None:
        self._attempt = Attempt(rules)
        self._earlier: list[Unanswered] = []

    @property
    def bears_token(self) -> bool:
        """Whether the workload's token is the login."""
        return self._attempt.rules.renewable

    @property
    def wants_other_token(self) -> bool:
        """Whether the next attempt makes sense with another token only."""
        return self._attempt.before is Before.OTHER_TOKEN

    @property
    def pauses_after(self) -> int | None:
        """After how many retries there is a pause before the next attempt; None: there is none."""
        return self._attempt.retries - 1 if self._attempt.before is Before.PAUSE else None

    def goes_on_after(self, outcome: int | Unanswered) -> bool:
        """Return whether there is another attempt.

        Args:
            outcome: the answer's status; or the error, to whose text the cause is added.
        """
        if isinstance(outcome, int):
            following = self._attempt.after_status(outcome)
        else:
            following = self._attempt.after_failure(failure_of(outcome))
            explain(outcome, self._earlier)
            self._earlier.append(outcome)
        self._attempt = following or self._attempt
        return following is not None
