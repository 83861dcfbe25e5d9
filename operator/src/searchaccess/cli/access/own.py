"""Asks Elasticsearch with a workload's own token, which is never shown."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.answers.access.actions import Question, is_confirmed, probed
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.model.intake.reading import mapping, text, texts
from searchaccess.operator.answers.reading import checked_address

_LONGEST: Final = 16_384


class NoTokenError(ValueError):
    """There is no token; the message says how to give one, and never what was given."""


async def token_of(file: Path | None, variable: str, audience: str) -> str:
    """Return the workload's token.

    Args:
        file: that has it; None: none.
        variable: that has it; empty: none.
        audience: for which one is requested from the metadata server if there is neither; empty: none.

    Raises:
        NoTokenError: none is given, or it cannot be one.
        LoginMissing: Google provides none.
    """
    if sum(map(bool, (file, variable, audience))) != 1:
        raise NoTokenError("give one of --token-file, --token-env and --audience")
    if audience:
        from searchaccess.adapters.google import IdentityTokens

        return await IdentityTokens(audience).get()
    return _given(file, variable)


def _given(file: Path | None, variable: str) -> str:
    try:
        found = file.read_text(encoding="ascii") if file else os.environ.get(variable, "")
    except (OSError, ValueError):
        raise NoTokenError(f"{file} cannot be read") from None
    token = found.strip()
    if not token or len(token) > _LONGEST or not token.isascii() or any(one.isspace() for one in token):
        raise NoTokenError(f"{file or variable} has no token")
    return token


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """What Elasticsearch answered about its caller."""

    question: Question
    index: str
    username: str
    realm: str
    roles: tuple[str, ...]
    allowed: bool

    def to_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "action": self.question.action,
            "index": self.index,
            "allowed": "yes" if self.allowed else "no",
            "username": self.username,
            "realm": self.realm,
            "roles": list(self.roles),
        }

    def lines(self) -> list[str]:
        """Return it for people."""
        said = "yes" if self.allowed else "no"
        may = "may" if self.allowed else "may not"
        roles = ", ".join(self.roles) or "none: no role mapping gives it any"
        return [
            f"{said}, {self.username} {may} {self.question.action} {self.index}",
            f"realm: {self.realm}",
            f"roles: {roles}",
        ]


async def asked_with(url: str, ca: str, token: str, index: str, question: Question) -> OwnAnswer:
    """Ask who a token belongs to, and whether it may do something (two requests).

    Args:
        url: of Elasticsearch, or of a gateway.
        ca: certificate authorities (PEM); empty: the system's.
        token: the workload's.
        index: its name.
        question: what is asked about.

    Raises:
        BadAddress: the token would be sent in the clear.
        ExternalError: it could not be asked.
    """
    client = ElasticsearchClient(Connection((checked_address(url, ca),), ca, token=token, public=True))
    try:
        who = await client.who()
        has = await client.may([index], probed(question))
    finally:
        await client.close()
    realm = text(mapping(who.get("authentication_realm")).get("name")) or "?"
    username = text(who.get("username")) or "?"
    return OwnAnswer(question, index, username, realm, texts(who.get("roles")), is_confirmed(question, has[index]))
