import json
import os
import re
import sys
from http import HTTPStatus
from typing import Any

from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.id_token import fetch_id_token_credentials
from requests import RequestException
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidHeader
from urllib3.exceptions import MaxRetryError, ProtocolError, ReadTimeoutError
from urllib3.util import Retry

URL = os.environ["ELASTICSEARCH_URL"].rstrip("/")
# Given with each request: requests prefers REQUESTS_CA_BUNDLE to the session's `verify`.
VERIFY = os.environ.get("ELASTICSEARCH_CA") or True
TIMEOUT = float(os.environ.get("ELASTICSEARCH_TIMEOUT", "30"))
READ = re.compile(r"(/[^/]+)?/(_search|_msearch|_count|_mget)(\?.*)?")
MAY_BE_EXECUTED = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)


class ElasticsearchError(Exception):
    """What Elasticsearch answers."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"Elasticsearch answers {status}: {body}")
        self.status = status


class IdentityTokenMissing(Exception):
    """The metadata server gives no identity token."""


class Careful(Retry):
    """Retries with backoff. Where a request may have been executed, it retries reads only."""

    def increment(  # type: ignore[override] # As urllib3 calls it.
        self, method: str | None = None, url: str | None = None, response: Any = None, error: Any = None, **more: Any
    ) -> Retry:
        read = method == "GET" or (method == "POST" and READ.fullmatch(url or "") is not None)
        if isinstance(error, ReadTimeoutError) or (isinstance(error, ProtocolError) and not read):
            raise error
        if response is not None and response.status in MAY_BE_EXECUTED and not read:
            raise MaxRetryError(more["_pool"], url or "")  # urllib3 returns the answer then.
        return super().increment(method, url, response, error, **more)


RETRIES = Careful(
    total=3,
    backoff_factor=0.5,
    backoff_jitter=0.5,
    status_forcelist=(429, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
    respect_retry_after_header=False,  # It may say an hour.
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
    audience = os.environ["ELASTICSEARCH_AUDIENCE"]
    try:
        credentials = fetch_id_token_credentials(audience)
    except GoogleAuthError as error:
        raise IdentityTokenMissing(f"there is no metadata server: {type(error).__name__}") from None
    # Puts a token on every request, gets another one minutes before it expires, and after a 401, once.
    session = AuthorizedSession(credentials, max_refresh_attempts=1)
    session.mount("https://", HTTPAdapter(max_retries=RETRIES))
    if name := opaque_id():
        session.headers["X-Opaque-Id"] = name
    if secret := os.environ.get("ELASTICSEARCH_CLIENT_SECRET"):
        session.headers["ES-Client-Authentication"] = f"SharedSecret {secret}"
    return session


def elasticsearch(session: AuthorizedSession, method: str, path: str, body: str) -> Any:
    kind = {"Content-Type": "application/x-ndjson" if path.endswith("/_bulk") else "application/json"}
    try:
        response = session.request(
            method, URL + path, data=body, headers=kind, verify=VERIFY, timeout=(5, TIMEOUT), allow_redirects=False
        )
    except (GoogleAuthError, InvalidHeader, LookupError) as error:  # Their texts may show what was answered.
        raise IdentityTokenMissing(f"the metadata server gives no identity token: {type(error).__name__}") from None
    if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
        raise ElasticsearchError(response.status_code, response.text)
    return response.json()


def write(session: AuthorizedSession, index: str) -> None:
    lines: list[dict[str, Any]] = []
    for number in (1, 2):
        lines += [{"index": {"_id": f"order-{number}"}}, {"total": number}]
    answer = elasticsearch(session, "POST", f"/{index}/_bulk", "".join(json.dumps(line) + "\n" for line in lines))
    if answer["errors"]:  # The status of the whole is 200 all the same.
        refused = [item["index"] for item in answer["items"] if "error" in item["index"]]
        raise ElasticsearchError(refused[0]["status"], json.dumps(refused))
    print(f"{len(answer['items'])} written")


def main(arguments: list[str]) -> None:
    with connect() as session:
        if arguments[:1] == ["--write"]:
            write(session, arguments[1])
        else:
            for index in arguments:
                print(elasticsearch(session, "POST", f"/{index}/_search", json.dumps({"size": 10})))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ElasticsearchError, IdentityTokenMissing, RequestException) as error:
        sys.exit(f"{type(error).__name__}: {error}")
