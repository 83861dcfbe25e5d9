"""The gateway's own login, as Envoy reads it."""

import base64

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.render.documents import to_text, typed

LOGIN = "login"
"""Its name in Envoy's configuration."""


def render_login(username: str, password: Sealed) -> Sealed:
    """Return the file ``login.yaml``: the value of the header ``Authorization`` for Elasticsearch.

    Args:
        username: the native user that has the role of the gateway.
        password: its password.
    """
    value = base64.b64encode(f"{username}:{password.reveal()}".encode()).decode()
    secret = typed(
        "extensions.transport_sockets.tls.v3.Secret",
        name=LOGIN,
        generic_secret={"secret": {"inline_string": f"Basic {value}"}},
    )
    return Sealed(to_text({"resources": [secret]}))
