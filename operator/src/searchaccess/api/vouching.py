"""Makes the ValidatingAdmissionPolicies by which the API server vouches for who requests and who approves."""

from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.constants import ANNOTATION_REQUESTED_BY, GROUP, VERSION

ADMISSION_GROUP: Final = "admissionregistration.k8s.io"
POLICIES: Final = "validatingadmissionpolicies"
BINDINGS: Final = "validatingadmissionpolicybindings"
APPROVERS: Final = "searchaccess-approvers"
REQUESTERS: Final = "searchaccess-requesters"
NAMES: Final = (APPROVERS, REQUESTERS)
"""Of the policies and of their bindings. They are fixed, because one set serves all installations of a cluster."""
APPROVAL_LABEL: Final = f"{GROUP}/approval"
"""Label of namespaces in which each SearchAccess must say who requests it; its value is ``required``."""

_APPROVER: Final = "object.spec.approvedBy"
_UNCHANGED: Final = "request.operation == 'UPDATE' && object.spec == oldObject.spec"
_SAME_GENERATION: Final = "request.operation == 'UPDATE' && object.metadata.generation == oldObject.metadata.generation"


@dataclass(frozen=True, slots=True)
class AdmissionObject:
    """One ValidatingAdmissionPolicy, or its binding."""

    plural: str
    name: str


OBJECTS: Final = tuple(AdmissionObject(plural, name) for name in NAMES for plural in (POLICIES, BINDINGS))


def _requester(variable: str) -> str:
    key = f"'{ANNOTATION_REQUESTED_BY}'"
    has = f"has({variable}.metadata.annotations) && {key} in {variable}.metadata.annotations"
    return f"{has} ? {variable}.metadata.annotations[{key}] : ''"


def _check(expression: str, message: str, expression_of_message: str = "") -> dict[str, Any]:
    """Return one validation.

    Args:
        expression: true for what is allowed.
        message: what to write instead.
        expression_of_message: the same as a CEL expression, with names; empty: none.
    """
    more = {"messageExpression": expression_of_message} if expression_of_message else {}
    return {"expression": expression, "message": message, **more, "reason": "Forbidden"}


_APPROVERS: Final = [
    _check(
        f"{_UNCHANGED} || {_APPROVER}.username == request.userInfo.username",
        "spec.approvedBy.username must be your own name, as kubectl auth whoami shows it",
        "'spec.approvedBy.username is not you: write ' + request.userInfo.username",
    ),
    _check(
        f"{_UNCHANGED} || !has({_APPROVER}.groups) || (has(request.userInfo.groups) && "
        f"{_APPROVER}.groups.all(group, group in request.userInfo.groups))",
        "spec.approvedBy.groups has a group that is not yours: write only groups that kubectl auth whoami shows",
    ),
]
_REQUESTERS: Final = [
    _check(
        "variables.requester == '' || variables.requester == request.userInfo.username || "
        f"({_SAME_GENERATION} && variables.requester == variables.before)",
        f"the annotation {ANNOTATION_REQUESTED_BY} must be your own name, as kubectl auth whoami shows it",
        f"'the annotation {ANNOTATION_REQUESTED_BY} must name who writes the spec: write ' + request.userInfo.username",
    ),
    _check(
        f"variables.requester != '' || !variables.wanted || ({_SAME_GENERATION} && variables.before == '')",
        f"access in this namespace needs an approval, and so the annotation {ANNOTATION_REQUESTED_BY} with your own "
        "name, as kubectl auth whoami shows it",
        f"'access in this namespace needs an approval: add the annotation {ANNOTATION_REQUESTED_BY}: \"' + "
        "request.userInfo.username + '\"'",
    ),
]
_LABELS: Final = "namespaceObject.metadata.labels"
_VARIABLES: Final = [
    {"name": "requester", "expression": _requester("object")},
    {"name": "before", "expression": f"request.operation == 'UPDATE' ? ({_requester('oldObject')}) : ''"},
    {
        "name": "wanted",
        "expression": f"has({_LABELS}) && '{APPROVAL_LABEL}' in {_LABELS} && "
        f"{_LABELS}['{APPROVAL_LABEL}'] == 'required'",
    },
]


def _policy(name: str, resource: str, validations: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    # What the API server would add is written here, so that what it has can be compared as a whole.
    return {
        "apiVersion": f"{ADMISSION_GROUP}/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "resourceRules": [
                    {
                        "apiGroups": [GROUP],
                        "apiVersions": [VERSION],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": [resource],
                        "scope": "*",
                    }
                ],
            },
            **more,
            "validations": validations,
        },
    }


def _binding(name: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{ADMISSION_GROUP}/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }


def vouching_objects() -> dict[AdmissionObject, dict[str, Any]]:
    """Return the policies and their bindings, as manifests."""
    policies = {
        APPROVERS: _policy(APPROVERS, "searchaccessapprovals", _APPROVERS),
        REQUESTERS: _policy(REQUESTERS, "searchaccesses", _REQUESTERS, variables=_VARIABLES),
    }
    return {each: policies[each.name] if each.plural == POLICIES else _binding(each.name) for each in OBJECTS}
