"""Applies all rules to manifests."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from searchaccess.api.base import ApiModel
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import ANNOTATION_LINT_IGNORE, API_VERSION
from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.api.searchaccesspolicy import SearchAccessPolicySpec
from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.answers.lint import rules, smells
from searchaccess.core.answers.lint.model import Broken, Finding, Manifest, Path, Severity, in_text
from searchaccess.core.answers.lint.smells import Smell
from searchaccess.core.answers.plan.stated import REFUSED, Declared, Stated
from searchaccess.core.messages import some_of
from searchaccess.core.model.intake.metadata import bounded_text, metadata_of, part
from searchaccess.core.model.intake.reading import is_label, is_name, mapping
from searchaccess.core.model.verdict import Outcome
from searchaccess.core.policy.guardrails.policy import Policy

MODELS: Final[Mapping[str, type[ApiModel] | None]] = {
    "SearchAccess": SearchAccessSpec,
    "SearchAccessPolicy": SearchAccessPolicySpec,
    "SearchCluster": SearchClusterSpec,
    "SearchAccessApproval": None,
}
NAMESPACED: Final = frozenset({"SearchAccess", "SearchAccessApproval"})
_MOST_ERRORS: Final = 20
"""Of one object: more would not be read."""
_LONGEST: Final = 500
"""Characters of a message."""
_STEP: Final = re.compile(r"\.([^.\[\]:]+)|\[(\d+)\]")
_IDS: Final = re.compile(r"[\s,]+")
_BY_ID: Final = {rule.id: rule for rule in rules.RULES}


def identified(raw: Mapping[str, Any]) -> str:
    """Return why an object of our group cannot be told from others; empty: it can."""
    kind, meta = raw.get("kind"), metadata_of(raw)
    if raw.get("apiVersion") != API_VERSION or not isinstance(kind, str) or kind not in MODELS:
        return f"there is no kind {bounded_text(str(kind), 80)} of {bounded_text(str(raw.get('apiVersion')), 80)}"
    if not meta.name and not (kind == "SearchAccessApproval" and part(raw, "metadata").get("generateName")):
        return "metadata.name: it has none"
    return ""


def lint(manifests: Sequence[Manifest], broken: Iterable[Broken], declared: Declared, now: datetime) -> list[Finding]:
    """Return what all rules find, in the order of files and lines; also what annotations ignore.

    Args:
        manifests: the objects of ours.
        broken: files that cannot be read.
        declared: what those objects declare that can be identified; of several with one name, the last.
        now: the time.
    """
    found = [Finding(rules.UNREADABLE, each.message, each.file, each.position) for each in broken]
    known = dict[tuple[str, str], Manifest]()
    for manifest in manifests:
        ignored, unknown = _ignored(manifest)
        smelled = [*unknown, *_duplicate(manifest, known), *_of_object(manifest, declared, now)]
        found += [_finding(smell, manifest, ignored) for smell in smelled]
    return sorted(found, key=lambda one: (one.file, one.position, one.rule.id, one.message))


def _finding(smell: Smell, manifest: Manifest, ignored: frozenset[str]) -> Finding:
    return Finding(
        smell.rule,
        bounded_text(smell.message, _LONGEST),
        manifest.file,
        manifest.where(smell.path),
        str(manifest.raw.get("kind", "")),
        _name(manifest.raw),
        in_text(smell.path),
        ignored=smell.rule.ignorable and smell.rule.id in ignored,
    )


def _name(raw: Mapping[str, Any]) -> str:
    meta = metadata_of(raw)
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def _ignored(manifest: Manifest) -> tuple[frozenset[str], list[Smell]]:
    """Return which rules an object ignores, and what is wrong with that list."""
    text = part(part(manifest.raw, "metadata"), "annotations").get(ANNOTATION_LINT_IGNORE)
    if text is None:
        return frozenset(), []
    ids = [each for each in _IDS.split(str(text).strip()) if each]
    wrong = [each for each in ids if each not in _BY_ID or not _BY_ID[each].ignorable]
    path: Path = ("metadata", "annotations", ANNOTATION_LINT_IGNORE)
    messages = [f"{some_of(wrong)}: there is no such rule, or it cannot be ignored"] if wrong or not ids else []
    return frozenset(ids), [Smell(rules.UNKNOWN_RULE, path, message) for message in messages]


def _duplicate(manifest: Manifest, known: dict[tuple[str, str], Manifest]) -> Iterator[Smell]:
    if identified(manifest.raw) or not metadata_of(manifest.raw).name:
        return
    key = str(manifest.raw["kind"]), _name(manifest.raw)
    if key in known:
        first = known[key]
        place = f"{first.file}, line {first.where(('metadata', 'name')).line}"
        message = f"{key[0]} {key[1]} is also in {place}: rename or remove one of them"
        yield Smell(rules.DUPLICATE, ("metadata", "name"), message)
    else:
        known[key] = manifest


def _of_object(manifest: Manifest, declared: Declared, now: datetime) -> Iterator[Smell]:
    raw = manifest.raw
    if problem := identified(raw):
        yield Smell(rules.INVALID, ("metadata",) if "metadata" in problem else ("kind",), problem)
        return
    kind, meta = raw["kind"], metadata_of(raw)
    if meta.name and not is_name(meta.name):
        text = (
            f"metadata.name: {bounded_text(meta.name, 80)} is not a name: "
            "use lower-case letters, digits, dots and dashes"
        )
        yield Smell(rules.INVALID, ("metadata", "name"), text)
    if meta.namespace and not is_label(meta.namespace):
        text = f"metadata.namespace: {bounded_text(meta.namespace, 80)} is not the name of a namespace"
        yield Smell(rules.INVALID, ("metadata", "namespace"), text)
    if kind in NAMESPACED and not meta.namespace:
        yield Smell(rules.NO_NAMESPACE, ("metadata",), "it gets the namespace of whoever applies it")
    if kind == "SearchAccess":
        stated = declared.accesses.get(f"{meta.namespace or 'default'}/{meta.name}")
        yield from _of_access(stated, raw, declared, now) if stated else ()
    elif kind == "SearchAccessPolicy" and (policy := declared.policies.get(meta.name)):
        yield from _of_policy(policy, raw, now)
    elif kind == "SearchCluster":
        if problem := declared.invalid_clusters.get(meta.name, ""):
            yield from _invalid(SearchClusterSpec, raw, problem)
        else:
            yield from smells.of_cluster(part(raw, "spec"))


def _of_access(stated: Stated, raw: Mapping[str, Any], declared: Declared, now: datetime) -> Iterator[Smell]:
    access = stated.access
    if access.fault:
        yield Smell(rules.INVALID, ("spec",), access.fault)
        return
    if access.invalid:
        yield from _invalid(SearchAccessSpec, raw, access.invalid)
        return
    yield from _of_references(stated, declared)
    for outcome in access.verdict.outcomes:
        rule = {Outcome.DENIED: rules.REFUSED, Outcome.WOULD_DENY: rules.AUDITED}.get(outcome.outcome)
        for reason in outcome.reasons if rule else ():
            yield Smell(rule or rules.REFUSED, _path_in(reason), f"SearchAccessPolicy {outcome.policy}: {reason}")
    decision = stated.decision
    if decision.reason in REFUSED and not access.verdict.denied_by:
        rule = rules.REFUSED if decision.reason is Reason.POLICY_VIOLATION else rules.NO_RIGHTS
        yield Smell(rule, _path_in(decision.message), decision.message)
    yield from smells.of_access(access, now)


def _of_references(stated: Stated, declared: Declared) -> Iterator[Smell]:
    access = stated.access
    cluster = declared.clusters.get(access.cluster)
    if cluster is None:
        if declared.clusters:
            others = some_of(sorted(declared.clusters))
            message = f"there is no SearchCluster {access.cluster} in the files; there are: {others}"
            yield Smell(rules.UNKNOWN_CLUSTER, ("spec", "cluster"), message)
        return
    given = cluster.get("secretStores")
    stores = [str(mapping(each).get("name")) for each in given] if isinstance(given, list) else []
    if access.credential and access.credential.store not in stores:
        message = f"SearchCluster {access.cluster} has no secret store {access.credential.store}; it has: "
        yield Smell(rules.UNKNOWN_STORE, ("spec", "credential", "store"), message + (some_of(stores) or "none"))


def _of_policy(policy: Policy, raw: Mapping[str, Any], now: datetime) -> Iterator[Smell]:
    if policy.invalid:
        yield from _invalid(SearchAccessPolicySpec, raw, policy.invalid)
    else:
        yield from smells.of_policy(policy, now)


def _invalid(model: type[ApiModel], raw: Mapping[str, Any], first: str) -> Iterator[Smell]:
    """Yield all that does not match a model, or the one problem that is known."""
    yield Smell(rules.INVALID, _path_in(first), first)
    try:
        model.model_validate(raw.get("spec") or {})
    except ValidationError as error:
        listed = error.errors(include_input=False, include_url=False, include_context=False)
        for each in listed[1:_MOST_ERRORS]:
            path: Path = ("spec", *each["loc"])
            message = "there is no such field" if each["type"] == "extra_forbidden" else each["msg"]
            yield Smell(rules.INVALID, path, f"{in_text(path)}: {message.removeprefix('Value error, ')}")
    except (RecursionError, ValueError):
        return


def _path_in(message: str) -> Path:
    """Return the path with which a message begins, such as ``spec.grants[0].indices: …``; else the spec."""
    text = message if message.startswith("spec") else f"spec.{message}"
    head = text.partition(":")[0]
    found: list[str | int] = ["spec"]
    for name, number in _STEP.findall(head.removeprefix("spec")):
        found.append(int(number) if number else name)
    return tuple(found) if " " not in head else ("spec",)


def worst(findings: Iterable[Finding]) -> Severity | None:
    """Return how bad the worst finding is that is not ignored; None: there is none."""
    order = list(Severity)
    left = [order.index(each.rule.severity) for each in findings if not each.ignored]
    return order[min(left)] if left else None
