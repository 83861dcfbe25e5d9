"""A SearchAccessPolicy as the core sees it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.clusters.namespaces import AllowedNamespaces
from searchaccess.api.policies.match import NAMESPACE
from searchaccess.api.searchaccesspolicy import OnViolation, PolicyMode, SearchAccessPolicySpec
from searchaccess.core.model.intake.metadata import bounded_text, last_applied, metadata_of
from searchaccess.core.model.intake.validation import MESSAGE_LIMIT, validated
from searchaccess.core.model.limits import SIZE, is_size
from searchaccess.core.patterns.parsed import MAX_LENGTH, PatternError, parse_index_pattern
from searchaccess.core.policy.guardrails.ends import end_of

_ESCAPED: Final = re.compile(r"\\.")
_REPEATS: Final = frozenset("*+?{")
_STANDS_ALONE: Final = (
    "in a regular expression {namespace} stands alone: not after \\ or ~, not before * + ? or {, and not within "
    '[], <>, {} or ""; write ({namespace}) before what repeats it'
)
_LONGEST: Final = 63
"""Characters of the name of a namespace."""
_EXAMPLE: Final = "a-b"
"""A namespace as they are: what it makes of a pattern is as right or wrong as with any other."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A SearchAccessPolicy."""

    uid: str
    name: str
    generation: int
    resource_version: str
    spec: SearchAccessPolicySpec | None
    """None: it cannot be read, and denies every SearchAccess."""
    invalid: str = ""
    """Why it cannot be read; empty: it can."""

    @property
    def audits(self) -> bool:
        """Whether it only reports."""
        return self.spec is not None and self.spec.mode is PolicyMode.AUDIT

    @property
    def keeps(self) -> bool:
        """Whether rights that were granted before stay; of what cannot be read nothing is revoked on a guess."""
        return self.spec is None or self.spec.on_violation is OnViolation.KEEP

    @property
    def namespaces(self) -> AllowedNamespaces | None:
        """Namespaces that it applies to; None: all."""
        return self.spec.match.namespaces if self.spec and self.spec.match else None


def policy_from_object(raw: Mapping[str, Any]) -> Policy:
    """Read a SearchAccessPolicy as Kubernetes gives it. Never raises for a bad spec."""
    meta = metadata_of(raw)
    spec, invalid = validated(SearchAccessPolicySpec, raw.get("spec"), last_applied(raw))
    if spec is not None:
        invalid = bounded_text(_problem(spec), MESSAGE_LIMIT)
    return Policy(
        uid=meta.uid,
        name=meta.name,
        generation=meta.generation,
        resource_version=meta.resource_version,
        spec=None if invalid else spec,
        invalid=invalid,
    )


def _problem(spec: SearchAccessPolicySpec) -> str:
    """Return what is wrong although the model takes it; empty: nothing."""
    listed = [(f"allow[{position}]", rule.indices) for position, rule in enumerate(spec.allow or ())]
    listed += [(f"deny[{position}]", rule.indices) for position, rule in enumerate(spec.deny or ())]
    for place, patterns in listed:
        for pattern in patterns:
            try:
                parse_index_pattern(pattern.replace(NAMESPACE, _EXAMPLE))
            except PatternError as error:
                return f"spec.{place}.indices: {pattern!r}: {error}"
            if len(pattern.replace(NAMESPACE, "n" * _LONGEST)) > MAX_LENGTH:
                # Where it could not be read any more, `deny` would refuse everything.
                return f"spec.{place}.indices: {pattern!r}: it is too long for namespaces of {_LONGEST} characters"
            if _is_misplaced(pattern):
                return f"spec.{place}.indices: {pattern!r}: {_STANDS_ALONE}"
    limits = spec.require.limits if spec.require else None
    if limits and limits.max_body is not None and not is_size(limits.max_body):
        return f"spec.require.limits: write {SIZE}"
    for position, exception in enumerate(spec.exceptions or ()):
        if end_of(exception) is None:
            return (
                f"spec.exceptions[{position}].until: {exception.until!r} is not a time with a time zone: write it as "
                "in 2027-01-31T00:00:00Z"
            )
    return ""


def _is_misplaced(pattern: str) -> bool:
    r"""Return whether what stands for the namespace would be read as something else: `\\dev` is a digit and `ev`."""
    if not pattern.startswith("/"):
        return False
    before, *rest = pattern.split(NAMESPACE)
    for after in rest:
        plain = _ESCAPED.sub("", before)
        inside = any(plain.count(begin) > plain.count(end) for begin, end in ("[]", "<>", "{}")) or plain.count('"') % 2
        if inside or plain.endswith(("~", "\\")) or after[:1] in _REPEATS:
            return True
        before += "x" + after
    return False
