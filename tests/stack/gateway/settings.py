"""Settings of a gateway on this machine."""

from searchaccess.core.gateway.settings import CallerLimits, GatewaySettings, Upstream
from tests.stack.trust.tokens import DEFAULT_AUDIENCE, DEFAULT_ISSUER


def loopback_settings(
    ca: str, jwks_url: str, upstream: Upstream, limits: CallerLimits, role_prefix: str = "searchaccess.prod."
) -> GatewaySettings:
    """Settings of a gateway that takes our issuer's tokens, and connects to servers with certificates of one authority.

    Args:
        ca: the authority, in PEM form.
        jwks_url: where the issuer's keys are.
        upstream: Elasticsearch, or what stands for it.
        limits: of all callers.
        role_prefix: of the users that callers run as.
    """
    return GatewaySettings(
        role_prefix=role_prefix,
        audience=DEFAULT_AUDIENCE,
        issuer=DEFAULT_ISSUER,
        jwks_url=jwks_url,
        jwks_ca=ca,
        upstreams=(upstream,),
        tls=True,
        ca=ca,
        verify=True,
        replicas=1,
        limits=limits,
    )
