"""Who holds roles in a cluster: callers of realms, users, API keys, service accounts, and whomever a mapping names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from searchaccess.core.answers.access.actions import Question, allows_anywhere
from searchaccess.core.answers.access.groups import Part, Rights, both, groups_of, rights_of
from searchaccess.core.answers.access.state import IndexedRoles, SecurityState, acts_as
from searchaccess.core.model.intake.reading import mapping, objects, text, texts
from searchaccess.core.rights.foreign.exclusive import given_by

ANONYMOUS: Final = "anonymous access"
_USER_RECORD: Final = "the user itself"


class Kind(StrEnum):
    """Kinds of holders of roles."""

    CALLER = "caller"
    """Of a realm of tokens, such as a service account of Google."""
    USER = "user"
    """Of the native or the reserved realm."""
    KEY = "API key"
    SERVICE = "service account"
    """One of Elasticsearch's own."""
    MAPPING = "role mapping"
    """Whoever it applies to, beside callers that are named."""
    ANONYMOUS = "anonymous"
    """Requests without a login."""


class Outcome(StrEnum):
    """Whether somebody may do what is asked about."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """It depends on what cannot be seen."""


@dataclass(frozen=True, slots=True)
class Given:
    """A role that somebody has.

    Args:
        role: its name.
        by: what gives it, for messages.
        sure: whether it certainly does.
    """

    role: str
    by: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who has roles, or rights of its own.

    Args:
        kind: what it is.
        name: by which people know it.
        given: its roles.
        own: of an API key or service account: sets of rights, of which each must allow what it does.
        doubts: what cannot be seen of it, for messages.
        runs_as: of an API key: patterns of the users as whom it may act, by descriptor.
        since: when it was made, RFC 3339; empty: Elasticsearch does not record it.
        about: what else is known, such as the owner of an API key.
    """

    kind: Kind
    name: str
    given: tuple[Given, ...] = ()
    own: tuple[tuple[Part, ...], ...] = ()
    doubts: tuple[str, ...] = ()
    runs_as: tuple[tuple[str, ...], ...] = ()
    since: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known about one holder and one question."""

    holder: Holder
    outcome: Outcome
    rights: Rights | None = None
    """With what it certainly has; None: nothing."""
    perhaps: Rights | None = None
    """With what it has perhaps, where that is more; None: there is nothing more."""
    doubts: tuple[str, ...] = ()
    """Why it is not certain, or what may be more."""
    acting_as: str = ""
    """The user by acting as whom it gets the rights; empty: it has them itself."""
    hidden_field: bool = False
    """It may do it, but does not get the field that was asked about."""


def judge(holder: Holder, roles: IndexedRoles, question: Question, field: str = "") -> Finding:
    """Return whether somebody may do what is asked about.

    Args:
        holder: who.
        roles: of the cluster, for one index.
        question: what.
        field: that must be shown; empty: any.
    """
    doubts = [*holder.doubts, *_unseen(holder.given, roles)]
    unsure = [each for each in holder.given if not each.sure and each.role in roles.relevant]
    sure = _rights(holder, roles, question, only_sure=True)
    some = _rights(holder, roles, question, only_sure=False) if unsure else sure
    doubts += [f"{each.by} may give role {each.role}: it depends on what is not known of the user" for each in unsure]
    hidden = bool(field and sure and not sure.shows(field))
    if sure and not hidden:
        return Finding(holder, Outcome.YES, sure, some if some != sure else None, tuple(doubts))
    shown = some is not None and (not field or some.shows(field))
    if shown or doubts:
        return Finding(holder, Outcome.UNKNOWN, sure, some, tuple(doubts), hidden_field=hidden)
    return Finding(holder, Outcome.NO, sure, hidden_field=hidden)


def _unseen(given: Iterable[Given], roles: IndexedRoles) -> Iterator[str]:
    for each in given:
        if each.role not in roles.known:
            yield f"role {each.role} of {each.by} cannot be seen: there is none, or it is in a file of the nodes"


def _rights(holder: Holder, roles: IndexedRoles, question: Question, *, only_sure: bool) -> Rights | None:
    names, found = roles.names, None
    sets: Sequence[Iterable[Part]] = holder.own or (
        [part for each in holder.given if each.sure or not only_sure if (part := roles.part(each.role))],
    )
    for parts in sets:
        here = rights_of(groups_of(parts, names), names, question)
        if here is None:
            return None
        found = here if found is None else both(found, here)
    return found if found is None or found.names else None


def in_doubt(finding: Finding, roles: IndexedRoles, question: Question) -> Finding:
    """Return a finding where not all aliases are known: rights on another name may be on an alias of the index.

    Args:
        finding: about one holder.
        roles: of the cluster, for one index.
        question: what is asked about.
    """
    if finding.outcome is not Outcome.NO or finding.hidden_field:
        return finding
    holder = finding.holder
    bodies = [part.body for parts in holder.own for part in parts]
    bodies += [given_by(roles.known[each.role]) for each in holder.given if each.role in roles.known]
    entries = (entry for body in bodies for entry in body.entries if not entry.application and not entry.clusters)
    if not any(allows_anywhere(entry.privileges, question) for entry in entries):
        return finding
    doubt = "it has such rights on other names, and not all aliases and data streams are known"
    return replace(finding, outcome=Outcome.UNKNOWN, doubts=(*finding.doubts, doubt))


def runs_as(holder: Holder, roles: IndexedRoles) -> tuple[str, ...]:
    """Return patterns of the users as whom somebody may act."""
    found = [*holder.runs_as, *(roles.run_as.get(each.role, ()) for each in holder.given)]
    return tuple(pattern for some in found for pattern in some)


def acting(holder: Holder, roles: IndexedRoles, users: Iterable[Finding]) -> Finding | None:
    """Return what somebody may do by acting as a user who may; None: nothing.

    Only users of realms that Elasticsearch can look up can be acted as: callers of tokens cannot.

    Args:
        holder: who.
        roles: of the cluster, for one index.
        users: those who may, or may perhaps.
    """
    if not (patterns := runs_as(holder, roles)):
        return None
    reached = [each for each in users if acts_as(patterns, each.holder.name)]
    best = min(reached, key=lambda each: each.outcome is not Outcome.YES, default=None)
    return replace(best, holder=holder, acting_as=best.holder.name) if best else None


class People:
    """All holders of a cluster that have roles or rights of their own, other than callers of realms.

    Args:
        state: what was read.
        roles: of the cluster, for one index.
    """

    def __init__(self, state: SecurityState, roles: IndexedRoles) -> None:
        self._state, self._roles = state, roles

    def common(self) -> tuple[Given, ...]:
        """Return what all users have."""
        return tuple(Given(role, ANONYMOUS) for role in self._state.anonymous or ())

    def anonymous(self) -> Holder | None:
        """Return requests without a login; None: these are refused, or that is not known."""
        common = self.common()
        return Holder(Kind.ANONYMOUS, "requests without a login", common) if common else None

    def user(self, name: str) -> Holder | None:
        """Return a user of the native or reserved realm; None: there is none, or it is disabled."""
        raw = (self._state.users or {}).get(name)
        if raw is None or raw.get("enabled") is False:
            return None
        given = tuple(Given(role, _USER_RECORD) for role in texts(raw.get("roles")))
        reserved = mapping(raw.get("metadata")).get("_reserved") is True
        return Holder(
            Kind.USER,
            name,
            (*given, *self.common()),
            about="built in" if reserved else "",
        )

    def users(self) -> Iterator[Holder]:
        """Yield the users of whom there may be something to say."""
        interesting = self._roles.relevant.keys() | self._roles.run_as.keys()
        known = self._roles.known
        for name, raw in (self._state.users or {}).items():
            roles = texts(raw.get("roles"))
            if any(role in interesting or role not in known for role in roles) and (found := self.user(name)):
                yield found

    def key(self, key_id: str) -> Holder | None:
        """Return an API key that works, by its id; None: there is none."""
        found = (raw for raw in self._state.keys or () if raw.get("id") == key_id)
        return next((self.read_key(raw) for raw in found), None)

    def keys(self) -> Iterator[Holder]:
        """Yield the API keys of which there may be something to say."""
        for raw in self._state.keys or ():
            descriptors = mapping(raw.get("role_descriptors"))
            limits = objects(raw.get("limited_by"))
            narrow = descriptors.values() or [each for one in limits for each in one.values()]
            if not narrow or any(self._roles.matches(each) or mapping(each).get("run_as") for each in narrow):
                yield self.read_key(raw)

    def read_key(self, raw: Mapping[str, Any]) -> Holder:
        """Read an API key as the API returns it."""
        descriptors, limits = mapping(raw.get("role_descriptors")), objects(raw.get("limited_by"))
        # It has its own rights alone:
        # https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-security-create-cross-cluster-api-key
        for_clusters = raw.get("type") == "cross_cluster"
        if for_clusters:
            limits = []
        own = [_parts(descriptors)] if descriptors else []
        own += [_parts(one) for one in limits]
        owner = text(raw.get("username")) or "?"
        doubts = [] if limits or for_clusters else [f"the rights of its owner {owner} cannot be seen"]
        restricted = any(mapping(each).get("restriction") for each in descriptors.values())
        if restricted:
            doubts.append("it is restricted to workflows")
        runs = tuple(texts(mapping(each).get("run_as")) for each in (descriptors or (limits or [{}])[0]).values())
        created = raw.get("creation")
        about = f"{text(raw.get('name')) or 'without a name'}, of {owner}"
        return Holder(
            Kind.KEY,
            text(raw.get("id")) or "?",
            own=tuple(own) or ((),),
            doubts=tuple(doubts),
            runs_as=tuple(each for each in runs if each),
            since=str(created) if isinstance(created, int) else "",
            about=f"{about}, for another cluster" if for_clusters else about,
        )

    def services(self) -> Iterator[Holder]:
        """Yield Elasticsearch's own service accounts that have anything on the index."""
        for name, raw in sorted((self._state.services or {}).items()):
            descriptor = mapping(raw).get("role_descriptor")
            if self._roles.matches(descriptor):
                part = Part(name, given_by(mapping(descriptor)))
                yield Holder(Kind.SERVICE, name, own=((part,),), about="if it has a token")


def _parts(descriptors: Mapping[str, Any]) -> tuple[Part, ...]:
    return tuple(Part(name, given_by(mapping(raw))) for name, raw in sorted(descriptors.items()))
