"""A ValidatingAdmissionPolicy and its binding for each SearchAccessPolicy.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.constants import GROUP, VERSION
from searchaccess.api.policies.match import Match
from searchaccess.api.searchaccesspolicy import SearchAccessPolicySpec
from searchaccess.core.answers.admission import cel
from searchaccess.core.answers.admission.rule import Rule
from searchaccess.core.answers.admission.rules import Left, rules_of
from searchaccess.core.answers.admission.subjects import matched
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.policy.guardrails.policy import Policy

_API: Final = "admissionregistration.k8s.io/v1"
_SUFFIX: Final = f".policies.{GROUP}"
_LONGEST_NAME: Final = 253
_LABELS: Final = {"app.kubernetes.io/managed-by": "searchaccess", "app.kubernetes.io/component": "policies"}
_OBJECT_LABELS: Final = "object.metadata.?labels.orValue({})"
_NAMESPACE_LABELS: Final = "namespaceObject.metadata.?labels.orValue({})"
_NOT_DELETED: Final = "!has(object.metadata.deletionTimestamp)"
_CHANGES: Final = (
    "request.operation == 'CREATE' || object.metadata.generation != oldObject.metadata.generation || "
    f"{_OBJECT_LABELS} != oldObject.metadata.?labels.orValue({{}}) || "
    "object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})"
)
"""As the webhook's: finalizers can be removed, whatever a policy says."""


@dataclass(frozen=True, slots=True)
class Generated:
    """What the API server can check of one SearchAccessPolicy.

    Args:
        policy: its name.
        objects: a ValidatingAdmissionPolicy and its binding; none if nothing can be expressed.
        left: what only the operator checks.
        problem: why the policy cannot be read; empty: it can.
    """

    policy: str
    objects: tuple[dict[str, Any], ...]
    left: tuple[str, ...]
    problem: str = ""


def generated(policy: Policy) -> Generated:
    """Return what the API server can check of a SearchAccessPolicy."""
    spec = policy.spec
    if spec is None:
        return Generated(policy.name, (), (), policy.invalid)
    found = list(rules_of(spec))
    rules = [each for each in found if isinstance(each, Rule)]
    left = [*_left(spec), *(each.what for each in found if isinstance(each, Left))]
    return Generated(policy.name, tuple(_objects(policy, spec, rules)) if rules else (), tuple(dict.fromkeys(left)))


def _left(spec: SearchAccessPolicySpec) -> Iterator[str]:
    if spec.match and spec.match.subjects:
        yield "match.subjects: Cloud Run workloads whose account matters"
    for each in spec.exceptions or ():
        yield f"exceptions: the end of {each.namespace}/{each.name} ({each.until}): generate again after it"


def _objects(policy: Policy, spec: SearchAccessPolicySpec, rules: list[Rule]) -> Iterator[dict[str, Any]]:
    room = _LONGEST_NAME - len(_SUFFIX)
    name = f"{policy.name if len(policy.name) <= room else _short(policy.name, room)}{_SUFFIX}"
    metadata = {"name": name, "labels": dict(_LABELS)}
    resource = {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["searchaccesses"],
    }
    yield {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            # What cannot be evaluated is decided by the operator.
            "failurePolicy": "Ignore",
            "matchConstraints": {"resourceRules": [resource]},
            "matchConditions": [
                {"name": "is-not-being-deleted", "expression": _NOT_DELETED},
                {"name": "changes-what-is-judged", "expression": _CHANGES},
            ],
            "variables": [{"name": "applies", "expression": _applies(spec)}],
            "validations": [_validation(policy.name, rule) for rule in rules],
        },
    }
    yield {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name, "labels": dict(_LABELS)},
        "spec": {"policyName": name, "validationActions": ["Warn", "Audit"] if policy.audits else ["Deny"]},
    }


def _short(name: str, room: int) -> str:
    """Return a name that fits: its end tells it from others with the same beginning."""
    return bounded_text(name, room).replace("…", "-")


def _validation(name: str, rule: Rule) -> dict[str, Any]:
    # As with the webhook: what violates a policy already can still be changed.
    expression = (
        f"!variables.applies || ({rule.holds('object')}) || (oldObject != null && !({rule.holds('oldObject')}))"
    )
    return {
        "expression": expression,
        "message": f"SearchAccessPolicy {name}: {rule.message}",
        "reason": "Forbidden",
    }


def _applies(spec: SearchAccessPolicySpec) -> str:
    """Return whether it is certain that a policy applies to a SearchAccess that has no exception."""
    parts = list(_matches(spec.match)) if spec.match else []
    if names := [f"{each.namespace}/{each.name}" for each in spec.exceptions or ()]:
        parts.append(f"!(request.namespace + '/' + object.metadata.?name.orValue('') in {cel.literals(names)})")
    return cel.all_of(parts)


def _matches(match: Match) -> Iterator[str]:
    if match.clusters is not None:
        yield f"object.spec.cluster in {cel.literals(match.clusters)}"
    if (namespaces := match.namespaces) is not None:
        either = [f"request.namespace in {cel.literals(namespaces.names)}"] if namespaces.names else []
        either += [cel.selected(namespaces.selector, _NAMESPACE_LABELS)] if namespaces.selector else []
        yield cel.any_of(either)
    if match.labels is not None:
        yield cel.selected(match.labels, _OBJECT_LABELS)
    if match.subjects is not None:
        yield matched(match.subjects, "object")
