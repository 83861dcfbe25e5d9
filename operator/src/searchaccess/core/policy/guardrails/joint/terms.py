"""What many policies require, and which of them find it for certain."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from searchaccess.api.policies.rules import Requirements
from searchaccess.core.policy.guardrails.asked import Terms
from searchaccess.core.policy.guardrails.budget import Budget
from searchaccess.core.policy.guardrails.joint.groups import grouped
from searchaccess.core.policy.guardrails.joint.remembered import RememberedWork
from searchaccess.core.policy.guardrails.reasons import any_in
from searchaccess.core.policy.guardrails.rules.demands import unmet_terms
from searchaccess.core.work import Work

_TIMES: Final = {"approval", "valid_until"}
"""What ``require`` says beside ``Terms``."""


class _Unmet(NamedTuple):
    """Policies that do not find for certain what they require."""

    policies: int


class JointTerms:
    """What many policies require, without times.

    Args:
        required: of each policy that requires something, its bit, and what it requires.
        kept: how many answers are remembered.
    """

    def __init__(self, required: Sequence[tuple[int, Requirements]], kept: int) -> None:
        self._groups = grouped(required, _TIMES)
        self._names_annotations = any(group.part.annotations for group in self._groups)
        self._answers = RememberedWork[Terms, _Unmet](self._unmet, kept)

    def unmet(self, terms: Terms) -> Work[int]:
        """Find out which policies do not find for certain what they require.

        Those of which that takes more than some steps are among them.
        """
        if not self._groups:
            return 0
        key = terms if self._names_annotations else terms.without_annotations
        return (self._answers.get(key) or (yield from self._answers.find(key))).policies

    def _unmet(self, terms: Terms) -> Work[_Unmet]:
        found, whole = 0, Budget(joint=True)
        for require, policies in self._groups:
            if whole.is_over or (yield from any_in(unmet_terms(require, terms, whole))) or whole.is_over:
                found |= policies
        return _Unmet(found)
