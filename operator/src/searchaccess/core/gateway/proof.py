"""Tests a gateway from outside, as a caller would: what it must refuse, and as whom Elasticsearch sees the caller."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.facts import Judgement
from searchaccess.core.messages import some_of
from searchaccess.core.model.intake.reading import mapping, text

PATH: Final = "/_security/_authenticate"
"""Returns who a caller is to Elasticsearch; the gateway lets it pass."""
OTHER: Final = "elastic"
"""The user whom the test tries to become: Elasticsearch's built-in superuser."""
UNKNOWN_USER: Final = "searchaccess-probe-of-run-as@searchaccess.iam.gserviceaccount.com"
"""An account that does not exist, by which run_as is tested: Elasticsearch refuses it, or ignores the header."""
_OK: Final = 200
_EXPIRED_FOR: Final = 300.0
"""Seconds after its end from which on every gateway must refuse a token: clocks differ."""
_LONGEST_LIFETIME: Final = 86400
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_REFUSALS: Final = frozenset({_UNAUTHORIZED, _FORBIDDEN})
_OWN_ERRORS: Final = "gateway_"
"""How the types of errors begin with which a gateway answers itself; those of Elasticsearch pass unchanged."""
_ELASTICSEARCH_ERROR: Final = "security_exception"
"""Type of the error with which Elasticsearch refuses a caller."""

SMUGGLED: Final = {"es-security-runas-user": OTHER, "es-secondary-authorization": "Basic ZWxhc3RpYzplbGFzdGlj"}
"""Headers that a caller must not get past the gateway."""


class Attempt(StrEnum):
    """A request of the test."""

    NO_TOKEN = "no token"  # noqa: S105 - a name
    GARBAGE = "a malformed token"
    UNSIGNED = "a token with a wrong signature"
    OTHER_AUDIENCE = "a token for another audience"
    EXPIRED = "an expired token"
    OWN = "the operator's own token and headers of another user"


REFUSED: Final = (Attempt.NO_TOKEN, Attempt.GARBAGE, Attempt.UNSIGNED, Attempt.OTHER_AUDIENCE, Attempt.EXPIRED)
"""Requests that the gateway must refuse itself: with 401, or as a token that is good elsewhere with 403."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address answered."""

    status: int = 0
    """0: nothing."""
    username: str = ""
    """Who the caller is to Elasticsearch."""
    names_other: bool = False
    """Whether the body of a refusal names the user whom the test tried to become."""
    trouble: str = ""
    """Why there is no answer."""
    error: str = ""
    """Type of the error in the body."""

    @property
    def is_of_gateway(self) -> bool:
        """Whether a gateway answered itself, so that Elasticsearch did not get the request."""
        return self.error.startswith(_OWN_ERRORS)

    @property
    def refuses_token(self) -> bool:
        """Whether it is how a gateway refuses a token."""
        return self.status == _UNAUTHORIZED or (self.status == _FORBIDDEN and self.is_of_gateway)

    @property
    def knows_caller(self) -> bool:
        """Whether Elasticsearch knows the caller, with rights or without."""
        passed = self.status == _FORBIDDEN and self.error == _ELASTICSEARCH_ERROR
        return passed or 200 <= self.status < 300  # noqa: PLR2004


def answer_of(status: int, body: Any, text_of_body: str) -> Answer:
    """Return what an answer says.

    Args:
        status: of HTTP.
        body: parsed JSON; None: it is none.
        text_of_body: the body as it is.
    """
    username = text(mapping(body).get("username")) or ""
    error = text(mapping(mapping(body).get("error")).get("type")) or ""
    return Answer(status, username if status == _OK else "", f"[{OTHER}]" in text_of_body, error=error)


def forged(token: str = "") -> str:
    """Return a token like those of Google, whose signature nobody made.

    Args:
        token: one whose claims it has; empty: claims that are long expired.
    """
    if token.count(".") == 2:  # noqa: PLR2004 - head, claims, signature
        head, claims, _ = token.split(".")
    else:
        head = _part({"alg": "RS256", "typ": "JWT", "kid": "none"})
        claims = _part({"iss": "https://accounts.google.com", "exp": 1, "email": "a@b.iam.gserviceaccount.com"})
    return f"{head}.{claims}.{_part('x' * 192)}"


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def email_in(token: str) -> str:
    """Return the e-mail address in one of the operator's own tokens, which is not verified; empty: it has none."""
    return text(_claims_in(token).get("email")) or ""


def _claims_in(token: str) -> Mapping[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - head, claims, signature
        return {}
    try:
        return mapping(json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))))
    except (ValueError, RecursionError):
        return {}


@dataclass(frozen=True, slots=True)
class OldTokens:
    """Tokens of the operator's own that it keeps until they have expired, to see that the gateway refuses them then.

    Ages are of a monotonic clock: with a clock that is ahead, a good token would count as expired.

    Args:
        audience: of the tokens.
        aging: one that gets older; None: there is none.
        since: when the operator had it first, in seconds.
        expired: the last one that has certainly expired; None: none has yet.
    """

    audience: str = ""
    aging: Sealed | None = None
    since: float = 0.0
    expired: Sealed | None = None

    def after(self, own: Sealed | None, audience: str, now: float) -> "OldTokens":
        """Return them after some time.

        Args:
            own: a good token; None: the operator has no identity of its own.
            audience: for which it is.
            now: seconds of the same clock as ``since``.
        """
        if own is None:
            return OldTokens()
        if self.aging is None or self.audience != audience:
            return OldTokens(audience, own, now)
        lifetime = _lifetime_in(self.aging.reveal())
        if lifetime is None or now < self.since + lifetime + _EXPIRED_FOR:
            return self
        # Keys change: an old token may be refused for that reason alone.
        return replace(self, aging=own, since=now, expired=self.aging)


def _lifetime_in(token: str) -> float | None:
    """Return for how many seconds a token is good; None: it does not say."""
    claims = _claims_in(token)
    issued, ends = claims.get("iat"), claims.get("exp")
    if type(issued) is not int or type(ends) is not int or not 0 < ends - issued <= _LONGEST_LIFETIME:
        return None
    return float(ends - issued)


def judge_gateway(  # noqa: PLR0911 - reads as a table
    answers: Mapping[Attempt, Answer], expected: str, url: str
) -> Judgement:
    """Return whether a gateway verifies callers.

    Args:
        answers: what it answered; without ``OWN``: the operator has no identity of its own.
        expected: as whom Elasticsearch must see the operator's own account.
        url: the gateway's address.
    """
    accepted = [one for one in REFUSED if one in answers and answers[one].knows_caller]
    if accepted:
        message = (
            f"{url} accepts {some_of(list(accepted))}: whoever reaches it may read data. Stop its pods, and see "
            "whether something else answers there"
        )
        return False, Reason.GATEWAY_ACCEPTS_OTHERS, message
    own = answers.get(Attempt.OWN)
    if own and ((own.status == _OK and own.username != expected) or (own.status in _REFUSALS and own.names_other)):
        who = own.username or OTHER
        message = f"{url} lets the operator's own token act as {who}, not as {expected}. Stop the gateway's pods"
        return False, Reason.GATEWAY_ACCEPTS_OTHERS, message
    if silent := [(one, answer) for one, answer in answers.items() if not answer.status or answer.status >= 500]:  # noqa: PLR2004
        why = silent[0][1].trouble or f"it answered {silent[0][1].status}"
        return None, Reason.GATEWAY_NOT_VERIFIED, f"{url} could not be tested with {silent[0][0]}: {why}"
    odd = [one for one in REFUSED if one in answers and not answers[one].refuses_token]
    if odd:
        message = f"{url} answers {answers[odd[0]].status} to {odd[0]}: something else than a gateway answers"
        return None, Reason.GATEWAY_NOT_VERIFIED, message
    if own is None:
        message = (
            f"{url} refuses {some_of(list(answers), len(answers))}; the operator has no Google identity to try a good "
            "token"
        )
        return None, Reason.GATEWAY_PARTLY_VERIFIED, message
    if own.refuses_token:
        message = f"{url} refuses the operator's own token: compare spec.identity.gateway with the gateway's logs"
        return False, Reason.GATEWAY_REFUSES, message
    if not own.knows_caller:
        return None, Reason.GATEWAY_NOT_VERIFIED, f"{url} answers {own.status} to the operator's own token"
    seen = f"sees {expected}" if own.status == _OK else f"refuses {expected}, which has no rights"
    message = f"{url} refuses all bad tokens; with the operator's own token Elasticsearch {seen}"
    return True, Reason.GATEWAY_VERIFIED, message


@dataclass(frozen=True, slots=True)
class RunAsAnswers:
    """What Elasticsearch answered to the gateway's login at one address."""

    url: str
    unknown: Answer
    """When it ran as a caller who does not exist."""
    other: Answer
    """When it ran as the built-in superuser."""


def judge_run_as(answers: Sequence[RunAsAnswers], login: str, nodes: Sequence[str] | None) -> Judgement:
    """Return whether the gateway's login may run as callers, and as nobody else.

    Elasticsearch ignores the header where ``run_as`` is off: then every caller would have the rights of the login.

    Args:
        answers: by address of Elasticsearch; at least one.
        login: the user.
        nodes: nodes whose settings switch it off; None: the settings may not be read.
    """
    for one in answers:
        if one.other.username == OTHER or one.unknown.username not in {"", login}:
            who = one.other.username or one.unknown.username
            message = f"{login} may run as {who} at {one.url}: find who gives it more than its role, and remove that"
            return False, Reason.RUN_AS_TOO_WIDE, message
    off = [one.url for one in answers if login in {one.unknown.username, one.other.username}]
    if nodes or off:
        where = f"on {some_of(list(nodes))}" if nodes else f"at {some_of(off)}"
        message = f"run_as is off {where}: set xpack.security.authc.run_as.enabled: true in elasticsearch.yml, restart"
        return False, Reason.RUN_AS_DISABLED, message
    refused = [one.url for one in answers if one.unknown.status == _UNAUTHORIZED]
    if refused:
        message = (
            f"Elasticsearch refuses the gateway's login {login} at {some_of(refused)}: it is replaced if that stays"
        )
        return False, Reason.GATEWAY_LOGIN_REFUSED, message
    unclear = [one for one in answers if one.unknown.status != _FORBIDDEN or one.other.status != _FORBIDDEN]
    if unclear:
        bad = unclear[0].unknown if unclear[0].unknown.status != _FORBIDDEN else unclear[0].other
        why = bad.trouble or f"it answered {bad.status}"
        return None, Reason.RUN_AS_UNKNOWN, f"run_as could not be tested at {unclear[0].url}: {why}"
    return True, Reason.RUN_AS_ENABLED, f"{login} may run as callers, and not as {OTHER}"


def is_refused(answers: Sequence[RunAsAnswers]) -> bool:
    """Return whether Elasticsearch refuses the login everywhere where it answers: somebody changed its password."""
    answered = [one.unknown.status for one in answers if one.unknown.status]
    return bool(answered) and all(status == _UNAUTHORIZED for status in answered)
