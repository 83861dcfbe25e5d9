import os
import sys
from http import HTTPStatus
from typing import Any

from google.auth.transport.requests import AuthorizedSession
from google.oauth2.id_token import fetch_id_token_credentials
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

URL = os.environ["ELASTICSEARCH_URL"]
# Given with each request: requests prefers REQUESTS_CA_BUNDLE to the session's `verify`.
VERIFY = os.environ.get("ELASTICSEARCH_CA") or True
# With back-off, also where the connection could not be made; not where a request may have been executed.
RETRIES = Retry(
    total=3,
    read=0,
    backoff_factor=0.5,
    backoff_jitter=0.5,
    status_forcelist=(429, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
)


def opaque_id() -> str | None:
    for names in (
        ("K_SERVICE", "K_REVISION"),
        ("CLOUD_RUN_JOB", "CLOUD_RUN_EXECUTION"),
        ("CLOUD_RUN_WORKER_POOL", "CLOUD_RUN_WORKER_POOL_REVISION"),
    ):
        if names[0] in os.environ:
            return "/".join(os.environ.get(name, "") for name in names)
    return None


def connect() -> AuthorizedSession:
    if not URL.startswith("https://"):
        raise ValueError("ELASTICSEARCH_URL must begin with https: tokens are bearer tokens")
    credentials = fetch_id_token_credentials(os.environ["ELASTICSEARCH_AUDIENCE"])
    # Puts a token on every request, gets another one minutes before it expires, and after a 401, once.
    session = AuthorizedSession(credentials, max_refresh_attempts=1)
    session.mount("https://", HTTPAdapter(max_retries=RETRIES))
    if name := opaque_id():
        session.headers["X-Opaque-Id"] = name
    if secret := os.environ.get("ELASTICSEARCH_CLIENT_SECRET"):
        session.headers["ES-Client-Authentication"] = f"SharedSecret {secret}"
    return session


def elasticsearch(session: AuthorizedSession, method: str, path: str, body: Any = None) -> Any:
    response = session.request(method, URL + path, json=body, verify=VERIFY, timeout=(5, 30), allow_redirects=False)
    if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
        raise RuntimeError(f"Elasticsearch answers {response.status_code}: {response.text}")
    return response.json()


if __name__ == "__main__":
    authorized = connect()
    for index in sys.argv[1:]:
        print(elasticsearch(authorized, "POST", f"/{index}/_search", {"size": 10}))
