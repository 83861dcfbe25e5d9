"""What the operator's login may do. SearchAccesses that exceed it are refused before anything is tried."""

from collections.abc import Iterator
from dataclasses import dataclass

from searchaccess.api.clusters.tiers import Tier
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.stores.credentials import Auth
from searchaccess.core.model.access import Access
from searchaccess.core.policy.delegation import Delegation, is_open, lacking


@dataclass(frozen=True, slots=True)
class LoginRights:
    """What the operator's login may do, according to Elasticsearch."""

    user: str = ""
    manages: bool = False
    """It has ``manage_security``: it may write roles, role mappings, users and keys."""
    keys: bool = False
    """It has ``manage_api_key``: it may issue API keys, and revoke them."""
    delegated: tuple[Delegation, ...] = ()
    """Rights that it may put into roles, if it may write only some roles."""
    missing: tuple[str, ...] = ()
    """The actions of ``manage_security`` that it lacks, if it has some of them."""

    @property
    def tier(self) -> Tier:
        """The tier of these rights."""
        if self.manages:
            return Tier.FULL
        if not self.delegated:
            return Tier.OBSERVE
        return Tier.ROLES_AND_KEYS if self.keys else Tier.ROLES

    @property
    def open_patterns(self) -> tuple[str, ...]:
        """The delegated patterns by which it could reach Elasticsearch's own indices."""
        return tuple(sorted({name for each in self.delegated for name in each.names if is_open(name)}))

    @property
    def verifies_mapping(self) -> bool:
        """Whether a person writes the one role mapping."""
        return self.tier in {Tier.ROLES, Tier.ROLES_AND_KEYS}


def beyond(
    access: Access, login: LoginRights, *, per_principal: bool, gateway: bool = False
) -> tuple[Reason, str] | None:
    """Return why a SearchAccess cannot be enforced with a login; None: it can, as far as is known.

    Args:
        access: the SearchAccess.
        login: what the login may do.
        per_principal: whether each principal has a role mapping of its own.
        gateway: whether each principal has a native user.
    """
    if login.manages or (access.auth is Auth.API_KEY and login.keys):
        return None
    tier = f"the operator's login has the tier {login.tier}"
    if login.tier is Tier.OBSERVE:
        text = f"{tier}: it only reads, and needs manage_security or delegated roles to grant anything"
        if login.missing:
            text = (
                f"{tier}: instead of manage_security it has some of its actions, and lacks {', '.join(login.missing)}"
            )
        return Reason.PERMISSION_DENIED, text
    limit = next(_limits(access, login, per_principal=per_principal, gateway=gateway), "")
    return (Reason.BEYOND_LOGIN, f"{tier}, {limit}") if limit else None


def _limits(access: Access, login: LoginRights, *, per_principal: bool, gateway: bool) -> Iterator[str]:
    """Yield what a login that writes delegated roles cannot do of what is declared."""
    if access.auth is Auth.API_KEY:
        yield "which cannot issue API keys (auth: ApiKey): that needs manage_api_key"
    if access.auth is Auth.PASSWORD:
        yield "which cannot create users (auth: Password): that needs manage_security"
    if per_principal:
        yield "which cannot write role mappings (mapping: PerPrincipal): that needs manage_security"
    if gateway and not access.has_credential:
        yield "which cannot create users (identity.gateway): that needs manage_security"
    if granted := ", ".join(access.share.cluster):
        yield f"to which no cluster privileges can be delegated (clusterCan: {granted}): that needs manage_security"
    if access.reads_remotely:
        yield "to which no rights on remote clusters can be delegated (remoteClusters): that needs manage_security"
    if access.share.on_indices != access.share.entries:
        yield "to which no rights in Kibana can be delegated (kibana): that needs manage_security"
    if missing := lacking(login.delegated, access.share.local):
        yield f"to which these rights are not delegated: {missing}"
