"""Ways to an API server that a kubeconfig can name: what watches takes the same as all else."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import RawTestServer, TestServer

from searchaccess.adapters.kubernetes.client import load_configuration
from tests.stack.trust.certificates import write_server_certificate


def kubeconfig(folder: Path, **cluster: str) -> Path:
    path = folder / "kubeconfig"
    content = {
        "current-context": "here",
        "clusters": [{"name": "one", "cluster": cluster}],
        "users": [{"name": "me", "user": {"token": "a-token"}}],
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


async def asked(path: Path, where: str) -> Any:
    """Ask an API server as kopf does; return its answer."""
    import datetime as dt  # noqa: PLC0415 - kopf takes a while

    from searchaccess.operator.sources.events import connection_info, session_of, tls_name_of  # noqa: PLC0415 - see above

    configuration = await load_configuration(path)
    made = session_of(connection_info(configuration, dt.timedelta(1)), (), tls_name_of(configuration))
    async with made.aiohttp_session as session, session.get(f"{made.server}{where}") as answer:
        return await answer.json()


async def echo(request: web.Request) -> web.Response:
    return web.json_response({"asked": str(request.url)})


def test_a_proxy_is_used(tmp_path: Path) -> None:
    async def play() -> None:
        requests: list[str] = []

        async def forward(request: web.BaseRequest) -> web.Response:
            requests.append(str(request.url))
            return web.json_response({"by": "proxy"})

        proxy = RawTestServer(forward)
        await proxy.start_server()
        path = kubeconfig(tmp_path, server="http://kubernetes.test", **{"proxy-url": str(proxy.make_url("/"))})
        assert await asked(path, "/apis") == {"by": "proxy"}
        assert requests == ["http://kubernetes.test/apis"]
        await proxy.close()

    asyncio.run(play())


@pytest.mark.parametrize("name", ["kubernetes.test", "other.test"])
def test_a_certificate_is_for_the_name_that_is_expected(tmp_path: Path, name: str) -> None:
    async def play() -> None:
        files = write_server_certificate(tmp_path, ["kubernetes.test"])
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(files.certificate_file, files.key_file)
        names: list[Any] = []
        context.sni_callback = lambda _socket, said, _context: names.append(said)
        application = web.Application()
        application.router.add_get("/{any:.*}", echo)
        server = TestServer(application)
        await server.start_server(ssl=context)
        address = f"https://127.0.0.1:{server.port}"
        more = {"certificate-authority": str(files.ca_file), "tls-server-name": name}
        path = kubeconfig(tmp_path, server=address, **more)
        if name == "kubernetes.test":
            assert await asked(path, "/apis") == {"asked": f"{address}/apis"}
        else:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await asked(path, "/apis")
        assert names == [name]
        await server.close()

    asyncio.run(play())
