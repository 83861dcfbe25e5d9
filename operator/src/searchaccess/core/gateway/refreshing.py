"""When a pod's kubelet is to write changed files into it now.

A kubelet checks for changed ConfigMaps and Secrets about once a minute, and at once when an annotation of the pod
changes.
https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/#mounted-configmaps-are-updated-automatically
"""

from dataclasses import dataclass
from typing import Final

from searchaccess.api.times.moments import moment
from searchaccess.core.gateway.facts import LoginInUse, Pod, PodAnswer

AGAIN: Final = 30.0
"""Seconds after which a pod is marked again: its kubelet may have checked before it knew of the change."""
MOST: Final = 3
"""How often that is done at most: then the kubelet checks on its own."""


@dataclass(frozen=True, slots=True)
class Current:
    """What is written."""

    version: str
    """Of the configuration."""
    since: float
    """When it was written, in seconds since the epoch."""
    login: LoginInUse | None
    """None: none is."""


def refresh_mark(pod: Pod, answer: PodAnswer | None, current: Current, now: float) -> str:
    """Return the annotation that a pod is to have, for its kubelet to look; empty: it needs no other.

    Args:
        pod: the pod.
        answer: what it says; None: it does not run yet, so that it gets all files when it starts.
        current: what is written.
        now: seconds since the epoch.
    """
    if answer is None:
        return ""
    login = current.login.since if current.login else ""
    late = answer.version != current.version
    has_login = not login or _started_after(pod, login) or pod.mark.partition(" ")[0] == login
    if has_login and not late:
        return ""
    times = min(MOST, int(max(0.0, now - current.since) / AGAIN)) if late else 0
    wanted = f"{login} {current.version} {times}"
    return "" if pod.mark == wanted else wanted


def _started_after(pod: Pod, time: str) -> bool:
    """Return whether a pod started after a time, RFC 3339; no: it is not known."""
    started, since = moment(pod.started), moment(time)
    return started is not None and since is not None and started > since
