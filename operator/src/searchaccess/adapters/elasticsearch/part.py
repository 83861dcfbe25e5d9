"""What the parts of the client share."""

from abc import ABC, abstractmethod
from typing import Final

from elasticsearch import AsyncElasticsearch

AT_A_TIME: Final = 500
"""Objects that are read before other tasks may run."""

OTHERS: Final = 1000
"""Keys, or users, of others that one request returns at most."""


class ClientPart(ABC):
    """A part of the client: the operations on one kind of object."""

    @abstractmethod
    async def _api(self) -> AsyncElasticsearch:
        """Return the client with a valid login."""
