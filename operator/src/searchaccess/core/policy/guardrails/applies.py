"""Which policies apply to a SearchAccess."""

from collections.abc import Mapping
from typing import NamedTuple

from searchaccess.core.model.admission import Admission
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.subjects import Who, matches_any
from searchaccess.core.policy.namespaces import admit, labels_in, selects


class Situation(NamedTuple):
    """What ``match`` evaluates of a SearchAccess, beside its cluster and the name of its namespace.

    Args:
        who: the subject; None: no policy selects by it.
        labels: labels of the SearchAccess by which a policy selects.
        around: the same of its namespace; None: they are not known.
    """

    who: Who | None
    labels: tuple[tuple[str, str], ...]
    around: tuple[tuple[str, str], ...] | None


def may_apply_in(policy: Policy, namespace: str, cluster: str) -> bool:
    """Return whether a policy may apply to SearchAccesses of a namespace that name a SearchCluster."""
    match = policy.spec.match if policy.spec else None
    if match is None:
        return True
    if match.clusters is not None and cluster not in match.clusters:
        return False
    return admit(match.namespaces, namespace, None) is not Admission.REFUSED


def applies(policy: Policy, namespace: str, situation: Situation) -> Admission:
    """Return whether a policy that may apply in its namespace and cluster applies to a SearchAccess."""
    match = policy.spec.match if policy.spec else None
    if match is None:
        return Admission.ALLOWED
    if match.labels is not None and not selects(match.labels, dict(situation.labels)):
        return Admission.REFUSED
    who = situation.who
    if match.subjects is not None and who is not None and not matches_any(match.subjects, who, unknown=True):
        return Admission.REFUSED
    return admit(match.namespaces, namespace, None if situation.around is None else dict(situation.around))


class MatchFields:
    """What ``match`` of some policies selects by.

    Args:
        policies: the policies.
    """

    def __init__(self, policies: tuple[Policy, ...]) -> None:
        found = [policy.spec.match for policy in policies if policy.spec and policy.spec.match]
        selectors = [match.labels for match in found if match.labels]
        around = [match.namespaces.selector for match in found if match.namespaces and match.namespaces.selector]
        self._own = {name for selector in selectors for name in labels_in(selector)}
        self._around = {name for selector in around for name in labels_in(selector)}
        self._at_subjects = any(match.subjects is not None for match in found)

    def situation(self, who: Who, own: tuple[tuple[str, str], ...], around: Mapping[str, str] | None) -> Situation:
        """Return what they select by.

        Args:
            who: the subject.
            own: labels of the SearchAccess.
            around: labels of its namespace; None: they are not known.
        """
        return Situation(
            who if self._at_subjects else None,
            tuple([label for label in own if label[0] in self._own]) if self._own else (),
            None if around is None else tuple([(name, around[name]) for name in self._around if name in around]),
        )
