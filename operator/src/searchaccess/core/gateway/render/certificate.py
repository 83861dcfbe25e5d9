"""Where Envoy finds the certificate for callers.

It is named by a file of its own, as a secret that Envoy discovers: Envoy watches files of a certificate only then, and
would serve one that a listener names until it is restarted.
https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/extensions/transport_sockets/tls/v3/common.proto
"""

from typing import Final

from searchaccess.core.gateway.render.documents import Json, to_text, typed
from searchaccess.core.gateway.render.paths import Paths

FILE: Final = "certificate.yaml"
_NAME: Final = "callers"


def render_certificate(paths: Paths) -> str:
    """Return the file beside the bootstrap that names the certificate's files.

    Args:
        paths: files and addresses of the pod.
    """
    certificate = {
        "certificate_chain": {"filename": f"{paths.tls}/tls.crt"},
        "private_key": {"filename": f"{paths.tls}/tls.key"},
        "watched_directory": {"path": paths.tls},
    }
    secret = typed("extensions.transport_sockets.tls.v3.Secret", name=_NAME, tls_certificate=certificate)
    return to_text({"resources": [secret]})


def certificate_reference(paths: Paths) -> Json:
    """Return how a listener refers to it."""
    source = {"path_config_source": {"path": f"{paths.bootstrap}/{FILE}"}, "resource_api_version": "V3"}
    return {"name": _NAME, "sds_config": source}
