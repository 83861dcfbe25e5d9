"""The issuer's keys in kind: a pod that publishes them by TLS, as Google does at an address of its own."""

from pathlib import Path
from typing import Any, Final

from tests.kind.operators import IMAGE
from tests.stack.trust.certificates import write_server_certificate
from tests.support.worlds.world import World

NAME: Final = "issuer"
PORT: Final = 8444
_SERVE: Final = f"""
import http.server, ssl
class Keys(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    def do_GET(self):
        keys = open("/etc/issuer/jwks.json", "rb").read()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(keys)))
        self.end_headers()
        self.wfile.write(keys)
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("/etc/issuer/tls.crt", "/etc/issuer/tls.key")
server = http.server.ThreadingHTTPServer(("", {PORT}), Keys)
# The handshake is the thread's: a client that only connects, such as a probe, would keep others waiting.
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""


def publish_keys(world: World, namespace: str, folder: Path) -> dict[str, Any]:
    """Publish the keys of the tests' issuer until the namespace is deleted; return `jwks` of a gateway."""
    host = f"{NAME}.{namespace}.svc"
    certificate = write_server_certificate(folder, names=(host,))
    files = {
        "jwks.json": world.elasticsearch.issuer.jwks(),
        "tls.crt": certificate.certificate_file.read_text(),
        "tls.key": certificate.key_file.read_text(),
    }
    labels = {"app": NAME}
    container = {
        "name": NAME,
        "image": IMAGE,
        "command": ["python3", "-c", _SERVE],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "files", "mountPath": "/etc/issuer"}],
    }
    volumes = [{"name": "files", "secret": {"secretName": NAME}}]
    pod = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0}
    ports = [{"port": PORT}]
    contents: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Secret", {"stringData": files}),
        ("Service", {"spec": {"selector": labels, "ports": ports}}),
        ("Pod", {"spec": pod}),
    )
    metadata = {"name": NAME, "namespace": namespace, "labels": labels}
    world.apply(*({"apiVersion": "v1", "kind": kind, "metadata": metadata, **rest} for kind, rest in contents))
    ready = ("wait", "--for=condition=Ready", f"pod/{NAME}", "-n", namespace, "--timeout=120s")
    world.kubernetes.run_kubectl(*ready)
    return {"url": f"https://{host}:{PORT}/keys", "ca": {"inline": certificate.ca_file.read_text()}}
