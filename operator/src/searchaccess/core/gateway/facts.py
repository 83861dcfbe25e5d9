"""What is known about a gateway after a reconcile."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final, TypeAlias

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.status import Drift
from searchaccess.core.messages import some_of

GRACE: Final = 150.0
"""Seconds within which a kubelet writes a changed ConfigMap into its pods, with time for Envoy to load it.
https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically"""

Judgement: TypeAlias = tuple[bool | None, Reason, str]
"""Whether a condition is true (None: not known), why, and a message."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of a gateway, which runs or is to run."""

    name: str
    address: str
    """Empty: it does not run yet."""
    started: str = ""
    """When the newest of its containers started; RFC 3339. Empty: not known."""
    waits: str = ""
    """Why it does not run, in one word of Kubernetes, such as ``ImagePullBackOff``; empty: it runs."""
    ends: str = ""
    """By when it is to have ended, with its grace period; RFC 3339. Empty: it is not being deleted."""
    mark: str = ""
    """The annotation with which its kubelet was last made to look for changed files; empty: it never was."""


@dataclass(frozen=True, slots=True)
class PodAnswer:
    """What a pod says about its configuration."""

    pod: str
    version: str = ""
    """Of the configuration that it has loaded; empty: it has loaded none as a whole."""
    trouble: str = ""
    """Why it could not be asked."""
    seconds: float = float("inf")
    """How long it had been running."""


@dataclass(frozen=True, slots=True)
class Pods:
    """What the pods of a gateway have loaded."""

    answers: tuple[PodAnswer, ...] = ()
    trouble: str = ""
    """Why the pods could not be listed."""
    waiting: tuple[str, ...] = ()
    """Those that do not run, each with the reason."""
    ending: tuple[PodAnswer, ...] = ()
    """Those that are being deleted and may still serve callers: nothing new is loaded by them."""
    former: bool = False
    """Pods of a former gateway run as well, with the limits of the time when it moved."""

    def have_all(self, version: str) -> bool:
        """Return whether pods run, and all of these have loaded a configuration."""
        return not self.trouble and bool(self.answers) and self.loaded(version) == len(self.answers)

    def have_any(self, versions: Container[str]) -> bool:
        """Return whether pods run, and each of these has loaded one of some configurations."""
        return not self.trouble and bool(self.answers) and all(one.version in versions for one in self.answers)

    def loaded(self, version: str) -> int:
        """Return how many have loaded a configuration."""
        return sum(answer.version == version for answer in self.answers)


@dataclass(frozen=True, slots=True)
class LoginInUse:
    """The login that a gateway's pods have."""

    user: str
    since: str
    """When it was made; RFC 3339."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the operator cannot write what a gateway needs."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """What is known about a gateway. It may be lost: the next reconcile reads it again."""

    places: tuple[str, ...] = ()
    """Where objects of ours are, or may be: ``namespace/name``."""
    version: str = ""
    """Of the configuration that is written."""
    problem: Problem | None = None
    pods: Pods | None = None
    """None: not asked yet."""
    serves: bool = False
    """Whether all pods that run have loaded what lets in the callers that are declared, perhaps with former limits."""
    in_sync: Judgement | None = None
    """None: not known yet; as before."""
    verified: Judgement | None = None
    run_as: Judgement | None = None
    login: LoginInUse | None = None
    drift: Drift | None = None
    rotated: str = ""
    """What to emit about a login that was just replaced; empty: none was."""

    @property
    def is_loaded(self) -> bool:
        """Whether all pods that run have loaded what is written, as far as is known."""
        return self.pods is not None and self.pods.have_all(self.version)

    @property
    def lets_in(self) -> bool:
        """Whether callers get through, as far as is known: pods serve, and Elasticsearch takes the gateway's login."""
        return self.serves and not (self.run_as is not None and self.run_as[0] is False)


def judge_pods(  # noqa: PLR0911 - one for each reason
    pods: Pods, version: str, seconds: float, where: str, *, replicas: int = 1, short: float = 0.0
) -> Judgement:
    """Return whether all pods of a gateway run, and have loaded its configuration.

    Args:
        pods: what they say.
        version: of the configuration that is written.
        seconds: since it was written.
        where: the gateway, ``namespace/name``.
        replicas: how many pods are declared, at the least.
        short: seconds since fewer run.
    """
    if pods.trouble:
        message = f"the pods of the gateway {where} cannot be listed: {pods.trouble}"
        return None, Reason.GATEWAY_NOT_ASKED, message
    if not pods.answers:
        namespace, _, name = where.partition("/")
        message = (
            f"no pod runs with the label searchaccess.dev/gateway: {name} in the namespace {namespace}: callers are "
            "not served. Install the gateway's chart there, or correct spec.identity.gateway"
        )
        if pods.waiting:
            message = f"no pod of the gateway {where} runs, so callers are not served: {some_of(pods.waiting)}"
        return False, Reason.GATEWAY_MISSING, message
    late = [answer for answer in pods.answers if not answer.trouble and answer.version != version]
    # One that has just started reads its files, and may have been given those from before.
    overdue = [answer.pod for answer in late if min(seconds, answer.seconds) >= GRACE]
    mute = [answer for answer in pods.answers if answer.trouble]
    count = f"{pods.loaded(version)} of {len(pods.answers)} pods"
    if overdue:
        message = (
            f"{count} have loaded version {version}; not so {some_of(overdue)}: see their logs for update_rejected"
        )
        return False, Reason.GATEWAY_OUT_OF_DATE, message
    if late:
        return None, Reason.GATEWAY_UPDATING, f"{count} have loaded version {version}; it takes up to two minutes"
    if mute:
        names = some_of([answer.pod for answer in mute])
        message = f"{count} have loaded version {version}; no answer on port 9902 of {names}: {mute[0].trouble}"
        return None, Reason.GATEWAY_NOT_ASKED, message
    if len(pods.answers) < replicas:
        why = f": {some_of(pods.waiting)}" if pods.waiting else ""
        text = f"{count} have loaded version {version}, but spec.identity.gateway.replicas is {replicas}{why}"
        return (None, Reason.GATEWAY_UPDATING, text) if short < GRACE else (False, Reason.GATEWAY_INCOMPLETE, text)
    # They load nothing new, and new rights may wait for them (docs/adr/0090).
    ending = [answer.pod for answer in pods.ending if answer.version != version]
    left = f"; not so, and still there, although being deleted: {some_of(ending)}" if ending else ""
    return True, Reason.GATEWAY_IN_SYNC, f"{count} have loaded version {version}{left}"
