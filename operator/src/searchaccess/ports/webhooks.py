"""What the webhook's certificate needs from Kubernetes: a Secret, and the ValidatingWebhookConfiguration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """The Secret, as read.

    Args:
        values: its data, decoded.
        version: its resource version.
    """

    values: Mapping[str, str] = field(repr=False)
    version: str


@dataclass(frozen=True, slots=True)
class Registration:
    """The ValidatingWebhookConfiguration, as read.

    Args:
        names: the names and addresses under which the API server calls the webhooks, sorted.
        authorities: that the API server trusts for each of them, as PEM.
        webhooks: how many webhooks it has.
        version: its resource version.
    """

    names: tuple[str, ...]
    authorities: tuple[str, ...]
    webhooks: int
    version: str


class WebhooksPort(Protocol):
    """The API server. Every method raises only ``ExternalError``."""

    async def read_secret(self) -> KeptSecret:
        """Return the Secret with the certificates.

        Raises:
            NotFound: there is none.
        """

    async def write_secret(self, values: Mapping[str, str], secret: KeptSecret) -> None:
        """Replace the data of the Secret, if nobody has written it since it was read.

        Raises:
            Conflict: somebody did.
        """

    async def read_registration(self) -> Registration:
        """Return how the API server calls the webhook.

        Raises:
            NotFound: the ValidatingWebhookConfiguration does not exist.
        """

    async def publish(self, authorities: Sequence[str], registration: Registration) -> None:
        """Replace the authorities that the API server trusts, if nobody has written them since they were read.

        Raises:
            Conflict: somebody did.
        """
