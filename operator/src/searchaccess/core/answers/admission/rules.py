"""What a SearchAccessPolicy says, as expressions in CEL. Each is false only if the operator refuses the SearchAccess.

What CEL cannot decide passes: the operator decides it.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from searchaccess.api.base import ApiModel
from searchaccess.api.constants import ANNOTATION_ADOPT
from searchaccess.api.policies.match import NAMESPACE
from searchaccess.api.policies.rules import Limits, Requirements
from searchaccess.api.searchaccess import DeletionPolicy, Mode
from searchaccess.api.searchaccesspolicy import SearchAccessPolicySpec
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.answers.admission import cel
from searchaccess.core.answers.admission.limits import limiting
from searchaccess.core.answers.admission.rule import Rule
from searchaccess.core.answers.admission.subjects import matchable
from searchaccess.core.messages import some_of
from searchaccess.core.policy.guardrails.rules.grants import INCLUDES, Bounds, bounds_of, raw

_SLACK: Final = "2s"
"""Fractions of seconds are rounded, each to the stricter side."""
_NO_WILDCARD: Final = r"!i.matches('[*?\\\\/]')"
_CAN: Final = "g.?can.orValue([])"
_PRIVILEGES: Final = "g.?privileges.orValue([])"
_READS: Final = f"'read' in {_CAN} || size({_PRIVILEGES}) > 0"


_PARTS: Final = frozenset(
    {"match", "mode", "onViolation", "allow", "deny", "subjects", "require", "limits", "exceptions"}
)
_REQUIREMENTS: Final = frozenset(
    {"fields", "hiddenFields", "where", "auth", "rotateEvery", "annotations", "mode", "validUntil", "limits"}
)
_LIMITS: Final = frozenset(
    {
        "grants", "patterns", "literalPrefix", "regularExpressions", "privileges", "clusterCan", "remoteClusters",
        "kibana", "deletionPolicies", "adopt", "secretStores", "secretNames",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Left:
    """What CEL cannot express.

    Args:
        what: the part of the policy, and why.
    """

    what: str


Found = Iterator[Rule | Left]


def rules_of(spec: SearchAccessPolicySpec) -> Found:
    """Yield the rules of a policy, and what is left to the operator."""
    if unknown := [*_besides(spec, _PARTS)]:
        # It may accept what other parts refuse.
        yield Left(f"all of the policy, because of {some_of(unknown)}")
        return
    entries = spec.subjects
    if entries is not None:
        yield Rule(lambda root: matchable(entries, root), "subject: it may not be named in this namespace")
        yield Left("subjects: accounts behind Cloud Run workloads")
    bounds = bounds_of(spec, NAMESPACE)
    yield from _allowed(bounds)
    yield from _denied(bounds)
    if spec.allow is not None or spec.deny is not None:
        yield Left("allow, deny: grants with regular expressions, names that begin with a dot, and most wildcards that "
                   "only in part match what is allowed or denied")  # fmt: skip
    if spec.require is not None:
        yield from _required(spec.require)
        yield from (Left(f"require.{name}") for name in _besides(spec.require, _REQUIREMENTS))
    if spec.limits is not None:
        yield from _limited(spec.limits)
        yield from (Left(f"limits.{name}") for name in _besides(spec.limits, _LIMITS))


def _besides(part: ApiModel, handled: frozenset[str]) -> Iterator[str]:
    """Yield which fields are set that no rule here is made of."""
    return (name for name in part.to_json() if name not in handled)


def _grants(body: str, message: str) -> Rule:
    return Rule(lambda root: f"{root}.spec.?grants.orValue([]).all(g, {body})", message)


def _indices(condition: str, message: str, when: str = "") -> Rule:
    each = f"g.indices.all(i, {condition})"
    return _grants(f"!({when}) || {each}" if when else each, message)


def _allowed(bounds: Bounds) -> Found:
    if bounds.allowed is None:
        return
    by_patterns: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, patterns in bounds.allowed.items():
        by_patterns[patterns].append(str(name))
    actions = [str(action) for action in Action if action in bounds.allowed]
    privileges = [name.removeprefix(raw("")) for name in bounds.allowed if name.startswith(raw(""))]
    yield _grants(
        f"{_CAN}.all(c, c in {cel.literals(actions)})",
        f"can: accepted: {some_of(actions) or 'none'}",
    )
    yield _grants(
        f"{_PRIVILEGES}.all(p, p in {cel.literals(privileges)})",
        f"privileges: accepted: {some_of(privileges) or 'none'}",
    )
    for patterns, names in by_patterns.items():
        if not cel.is_expressible(patterns):
            yield Left(f"allow: {some_of(names)} on {some_of(patterns)}")
            continue
        those = [name for name in names if not name.startswith(raw(""))]
        others = [name.removeprefix(raw("")) for name in names if name.startswith(raw(""))]
        when = f"{_CAN}.exists(c, c in {cel.literals(those)}) || {_PRIVILEGES}.exists(p, p in {cel.literals(others)})"
        condition = f"!i.matches('{cel.PLAIN}') || {cel.example('i')}.matches({cel.matching(patterns)})"
        yield _indices(condition, f"indices: only {some_of(patterns)} are allowed for {some_of(names)}", when)


def _denied(bounds: Bounds) -> Found:
    by_actions: defaultdict[frozenset[Action] | None, list[str]] = defaultdict(list)
    for pattern, actions in bounds.denied:
        by_actions[actions].append(pattern)
    for actions, patterns in by_actions.items():
        plain = [pattern for pattern in patterns if cel.is_plain(pattern)]
        if left := [pattern for pattern in patterns if pattern not in plain]:
            yield Left(f"deny: {some_of(left)}")
        if not plain or not cel.is_expressible(plain):
            yield from [Left(f"deny: {some_of(plain)}")] if plain else []
            continue
        hit = [each for each in Action if actions is None or not actions.isdisjoint({each, *INCLUDES.get(each, ())})]
        when = f"size({_PRIVILEGES}) > 0 || {_CAN}.exists(c, c in {cel.literals(hit)})"
        what = some_of([str(each) for each in hit])
        yield _indices(
            f"!i.matches('{cel.PLAIN}') || !({_meets(plain)})",
            f"indices: {some_of(plain)} are denied for {what}: name indices of which none is denied",
            when,
        )


def _meets(patterns: list[str]) -> str:
    """Return whether the plain pattern in ``i`` certainly matches a name that one of some patterns does."""
    found = [f"{cel.example('i')}.matches({cel.matching(patterns)})"]
    if examples := [cel.example_of(pattern) for pattern in patterns if cel.has_wildcard(pattern)]:
        found.append(f"{cel.texts(examples)}.exists(n, n.matches({cel.expression_of('i')}))")
    # What one of them matches, followed by what the other one does.
    if any(pattern.startswith("*") for pattern in patterns):
        found.append("i.endsWith('*')")
    if any(pattern.endswith("*") for pattern in patterns):
        found.append("i.startsWith('*')")
    return cel.any_of(found)


def _required(require: Requirements) -> Found:
    if require.fields or require.hidden_fields:
        yield _grants(f"!({_READS}) || has(g.fields)", "fields is required: list in fields.include what may be read")
    if require.hidden_fields:
        yield Left("require.hiddenFields: whether fields hides them")
    if require.where:
        yield _grants(f"!({_READS}) || has(g.where)", "where is required: a query for the documents that may be read")
    if require.auth is not None:
        yield _one_of("auth", "auth", "IdentityToken", [str(each) for each in require.auth])
    if (longest := require.rotate_every) is not None:
        yield Rule(
            lambda root: (
                f"!has({root}.spec.credential) || "
                f"duration({root}.spec.credential.?rotateEvery.orValue('720h')) <= duration('{longest}')"
            ),
            f"credential.rotateEvery: write at most {longest}",
        )
    yield from (_annotated(name) for name in require.annotations or ())
    if require.mode is not None:
        yield _one_of("mode", "mode", Mode.ENFORCE, [str(require.mode)])
    if require.limits is not None:
        yield from limiting(require.limits)
    if (within := require.valid_until) is not None:
        yield Rule(
            lambda root: (
                f"has({root}.spec.validUntil) && timestamp({root}.spec.validUntil) <= "
                f"timestamp({root}.spec.?validFrom.orValue({root}.metadata.creationTimestamp)) "
                f"+ duration('{within}') + duration('{_SLACK}')"
            ),
            f"validUntil is required: write a time at most {within} after validFrom, or without it after the creation",
        )


def _annotated(name: str) -> Rule:
    return Rule(
        lambda root: f"{root}.metadata.?annotations.orValue({{}})[?{cel.literal(name)}].orValue('') != ''",
        f"metadata.annotations: {name} is required",
    )


def _one_of(field: str, shown: str, default: str, accepted: list[str]) -> Rule:
    return Rule(
        lambda root: f"{root}.spec.?{field}.orValue('{default}') in {cel.literals(accepted)}",
        f"{shown}: write {some_of(accepted)}",
    )


def _limited(limits: Limits) -> Found:
    if (most := limits.grants) is not None:
        yield Rule(lambda root: f"size({root}.spec.?grants.orValue([])) <= {most}", f"grants: at most {most}")
    if (number := limits.patterns) is not None:
        yield Rule(
            lambda root: f"{root}.spec.?grants.orValue([]).map(g, size(g.indices)).sum() <= {number}",
            f"grants: at most {number} index names and patterns",
        )
    if least := limits.literal_prefix:
        yield _indices(
            f"{_NO_WILDCARD} || i.matches('^[^*?\\\\\\\\/]{{{least}}}')",
            f"indices: write at least {least} characters before the first wildcard, and no regular expression",
        )
    if limits.regular_expressions is False:
        yield _indices("!i.startsWith('/')", "indices: regular expressions are not accepted")
    if limits.privileges is False:
        yield _grants(f"size({_PRIVILEGES}) == 0", "privileges are not accepted: write actions in can")
    if (remote := limits.remote_clusters) is not None:
        among = f"{cel.example('r')}.matches({cel.matching(remote)})" if remote else "false"
        yield _grants(
            f"g.?remoteClusters.orValue([]).all(r, {among})",
            f"remoteClusters: accepted: {some_of(list(remote)) or 'none'}",
        )
    if (cluster := limits.cluster_can) is not None:
        yield Rule(
            lambda root: f"{root}.spec.?clusterCan.orValue([]).all(c, c in {cel.literals(cluster)})",
            f"clusterCan: accepted: {some_of(list(cluster)) or 'none'}",
        )
    if limits.kibana is False:
        yield Rule(lambda root: f"size({root}.spec.?kibana.orValue([])) == 0", "kibana is not accepted")
    yield from _ends(limits)


def _ends(limits: Limits) -> Found:
    if (policies := limits.deletion_policies) is not None:
        yield _one_of("deletionPolicy", "deletionPolicy", DeletionPolicy.DELETE, [str(each) for each in policies])
    if limits.adopt is False:
        yield Rule(
            lambda root: f"{root}.metadata.?annotations.orValue({{}})[?'{ANNOTATION_ADOPT}'].orValue('') == ''",
            f"metadata.annotations: {ANNOTATION_ADOPT} is not accepted",
        )
    if (stores := limits.secret_stores) is not None:
        yield Rule(
            lambda root: f"!has({root}.spec.credential) || {root}.spec.credential.store in {cel.literals(stores)}",
            f"credential.store: accepted: {some_of(list(stores)) or 'none'}",
        )
    if (names := limits.secret_names) is not None:
        yield Rule(
            lambda root: f"!has({root}.spec.credential) || {root}.spec.credential.name.matches({cel.matching(names)})",
            f"credential.name: write {some_of(list(names))}",
        )
