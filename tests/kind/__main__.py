"""`python -m tests.kind FOLDER PORT`: what Elasticsearch in kind needs, and how tests reach it."""

import argparse
import secrets
import shlex
from pathlib import Path

import yaml

from tests.stack.elasticsearch import realm_settings
from tests.stack.kubernetes import write_private
from tests.stack.trust.certificates import write_server_certificate
from tests.stack.trust.tokens import TokenIssuer

NAMESPACE = "elastic"
INSIDE = "elasticsearch.elastic.svc"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int, help="where Elasticsearch is to be reached on this machine")
    arguments = parser.parse_args()
    prepare(arguments.folder, arguments.port)


def prepare(folder: Path, port: int) -> None:
    """Write `elasticsearch.yaml`, to be applied, and `env`, to be sourced; what is there already stays."""
    if (folder / "env").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    issuer, password = TokenIssuer(), secrets.token_urlsafe(18)
    issuer.save(folder / "issuer.pem")
    certificate = write_server_certificate(folder / "pki", names=(INSIDE,))
    settings = {
        "cluster.name": "searchaccess-kind",
        "discovery.type": "single-node",
        "network.host": "0.0.0.0",  # noqa: S104 - in a pod, behind a Service
        "xpack.license.self_generated.type": "trial",
        "xpack.security.enabled": True,
        "xpack.security.transport.ssl.enabled": False,
        "xpack.security.http.ssl.enabled": True,
        "xpack.security.http.ssl.certificate": "server.crt",
        "xpack.security.http.ssl.key": "server.key",
        **realm_settings(),
    }
    data = {
        "elasticsearch.yml": yaml.safe_dump(settings),
        "jwks.json": issuer.jwks(),
        "server.crt": certificate.certificate_file.read_text(),
        "server.key": certificate.key_file.read_text(),
        "password": password,
    }
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "elasticsearch", "namespace": NAMESPACE},
            "stringData": data,
        },
    ]
    write_private(folder / "elasticsearch.yaml", yaml.safe_dump_all(objects).encode())
    found = {
        "SEARCHACCESS_TEST_KUBECONFIG": str(folder / "kubeconfig"),
        "SEARCHACCESS_TEST_ELASTICSEARCH_URL": f"https://127.0.0.1:{port}",
        "SEARCHACCESS_TEST_ELASTICSEARCH_USERNAME": "elastic",
        "SEARCHACCESS_TEST_ELASTICSEARCH_PASSWORD": password,
        "SEARCHACCESS_TEST_ELASTICSEARCH_CA": str(certificate.ca_file),
        "SEARCHACCESS_TEST_ELASTICSEARCH_SIGNING_KEY": str(folder / "issuer.pem"),
    }
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in found.items())
    write_private(folder / "env", lines.encode())


if __name__ == "__main__":
    main()
