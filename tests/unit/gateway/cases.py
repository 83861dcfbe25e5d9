"""Settings, and what is rendered from them. `python -m tests.unit.gateway.cases` writes the files."""

from collections.abc import Mapping
from pathlib import Path

from searchaccess.core.gateway.render import render, render_bootstrap
from searchaccess.core.gateway.settings import ApiGroup, CallerLimits, GatewaySettings, Rate, Upstream

GOLDEN = Path(__file__).parent / "golden"
MEGABYTE = 1024 * 1024
_SMALL = GatewaySettings(
    role_prefix="searchaccess.prod.",
    audience="https://es.example.com",
    issuer="https://accounts.google.com",
    jwks_url="https://www.googleapis.com/oauth2/v3/certs",
    jwks_ca="",
    upstreams=(Upstream("elasticsearch.elastic.svc", 9200),),
    tls=True,
    ca="",
    verify=True,
    replicas=2,
    limits=CallerLimits(100 * MEGABYTE),
)
_READER = CallerLimits(MEGABYTE, Rate(5, 10), frozenset({ApiGroup.DOCUMENTS, ApiGroup.SEARCH}))

CASES: Mapping[str, GatewaySettings] = {
    "small": _SMALL,
    "plain": GatewaySettings(
        role_prefix="searchaccess.test.",
        audience="x",
        issuer="https://issuer.example.com",
        jwks_url="https://10.0.0.1:8443/keys?v=1",
        jwks_ca="-----BEGIN CERTIFICATE-----\nJWKS\n-----END CERTIFICATE-----\n",
        upstreams=(Upstream("10.0.0.2", 9200),),
        tls=False,
        ca="",
        verify=True,
        replicas=1,
        limits=CallerLimits(MEGABYTE, Rate(50, 100)),
    ),
    "limited": GatewaySettings(
        role_prefix="searchaccess.prod.",
        audience="https://es.example.com",
        issuer="https://accounts.google.com",
        jwks_url="https://www.googleapis.com/oauth2/v3/certs",
        jwks_ca="",
        upstreams=(Upstream("es-1.example.com", 9200), Upstream("10.0.0.1", 9201), Upstream("es-0.example.com", 443)),
        tls=True,
        ca="-----BEGIN CERTIFICATE-----\nES\n-----END CERTIFICATE-----\n",
        verify=True,
        replicas=3,
        limits=CallerLimits(100 * MEGABYTE, Rate(50, 100), frozenset(ApiGroup) - {ApiGroup.CLUSTER, ApiGroup.STATEFUL}),
        callers={
            "web@acme-shop.iam.gserviceaccount.com": _READER,
            "app@acme-shop.iam.gserviceaccount.com": _READER,
            "batch@acme-shop.iam.gserviceaccount.com": CallerLimits(200 * MEGABYTE),
        },
        iap_audience="/projects/123/global/backendServices/456",
        people=("*@example.com", "jane.doe+es@example.com"),
    ),
}


def files() -> dict[str, str]:
    """Each file by its name."""
    found = {"bootstrap.yaml": render_bootstrap()}
    for name, settings in CASES.items():
        rendered = render(settings)
        found |= {f"{name}-listeners.yaml": rendered.listeners, f"{name}-clusters.yaml": rendered.clusters}
    return found


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, text in files().items():
        (GOLDEN / name).write_text(text)
