"""Whether a SearchCluster admits SearchAccesses of a namespace."""

from collections.abc import Iterable, Mapping

from searchaccess.api.clusters.namespaces import AllowedNamespaces, LabelRequirement, LabelSelector, SelectorOperator
from searchaccess.core.model.admission import Admission


def needs_labels(allowed: AllowedNamespaces | None) -> bool:
    """Return whether labels of namespaces must be known."""
    return allowed is not None and allowed.selector is not None


def admit(allowed: AllowedNamespaces | None, namespace: str, labels: Mapping[str, str] | None) -> Admission:
    """Return whether a SearchCluster takes SearchAccesses of a namespace.

    Args:
        allowed: what the SearchCluster says; None: it admits all.
        namespace: name of the namespace.
        labels: the namespace's labels; None: not known.
    """
    if allowed is None or namespace in (allowed.names or ()):
        return Admission.ALLOWED
    if allowed.selector is None:
        return Admission.REFUSED
    if labels is None:
        return Admission.UNKNOWN
    return Admission.ALLOWED if selects(allowed.selector, labels) else Admission.REFUSED


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Return whether labels are as a selector wants them.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
    """
    wanted = selector.match_labels or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _meets(requirement, labels) for requirement in selector.match_expressions or ()
    )


def labels_in(selector: LabelSelector) -> Iterable[str]:
    """Return the names of all labels that a selector uses."""
    return (*(selector.match_labels or ()), *(each.key for each in selector.match_expressions or ()))


def _meets(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    present, values = requirement.key in labels, requirement.values or ()
    match requirement.operator:
        case SelectorOperator.IN:
            return present and labels[requirement.key] in values
        case SelectorOperator.NOT_IN:
            # As in Kubernetes: a missing label has none of the values.
            return not present or labels[requirement.key] not in values
        case SelectorOperator.EXISTS:
            return present
        case SelectorOperator.DOES_NOT_EXIST:
            return not present
