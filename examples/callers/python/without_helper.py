import os
import sys

from google.auth.transport.requests import AuthorizedSession
from google.oauth2.id_token import fetch_id_token_credentials


def opaque_id() -> str:
    for names in (
        ("K_SERVICE", "K_REVISION"),
        ("CLOUD_RUN_JOB", "CLOUD_RUN_EXECUTION"),
        ("CLOUD_RUN_WORKER_POOL", "CLOUD_RUN_WORKER_POOL_REVISION"),
    ):
        if names[0] in os.environ:
            return "/".join(os.environ.get(name, "") for name in names)
    return "unknown"


# Puts a token on every request, gets another one minutes before it ends, and after a 401.
session = AuthorizedSession(fetch_id_token_credentials(os.environ["ELASTICSEARCH_AUDIENCE"]))
session.verify = os.environ.get("ELASTICSEARCH_CA") or True
session.headers["X-Opaque-Id"] = opaque_id()
if secret := os.environ.get("ELASTICSEARCH_CLIENT_SECRET"):
    session.headers["ES-Client-Authentication"] = f"SharedSecret {secret}"

for index in sys.argv[1:]:
    response = session.get(f"{os.environ['ELASTICSEARCH_URL']}/{index}/_search", params={"size": 10}, timeout=30)
    response.raise_for_status()
    print(response.json())
