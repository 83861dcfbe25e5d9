"""The webhook beside the operator: it is ready with a certificate, and decides once what is declared is known."""

import asyncio
import json
import ssl
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from searchaccess.adapters.x509 import issue
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.operator.admission import keeper
from searchaccess.operator.admission.options import AdmissionOptions
from searchaccess.operator.admission.server import PATH
from searchaccess.operator.admission.start import webhook_served
from searchaccess.ports.meter import Meter
from tests.stack.running.processes import free_port
from tests.support.loop.clocks import SettableClock
from tests.unit.webhook.memory import MemoryWebhooks
from tests.unit.webhook.scene import ONLY_SHOP, a_policy, a_review, knowing, reads


class Now(SettableClock):
    """The time of this machine, by which clients check certificates."""

    def now(self) -> str:
        return datetime.now(UTC).isoformat()


async def answered(port: int, authority: str) -> httpx.Response:
    trusted = ssl.create_default_context(cadata=authority)
    async with httpx.AsyncClient(verify=trusted, trust_env=False, timeout=30) as client:
        return await client.post(f"https://127.0.0.1:{port}{PATH}", content=json.dumps(a_review(reads("orders-1"))))


@pytest.mark.parametrize("made", [True, False], ids=["made", "from files"])
async def test_it_is_ready_with_a_certificate_and_decides_once_all_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, made: bool
) -> None:
    monkeypatch.setattr(keeper, "_RETRY", 0.05)
    webhooks, stop, port = MemoryWebhooks("127.0.0.1"), asyncio.Event(), free_port()
    parts = {"inventory": knowing(a_policy(**ONLY_SHOP)), "meter": Meter(), "ownership": Ownership(), "clock": Now()}
    context: Any = SimpleNamespace(**parts)
    host: Any = SimpleNamespace(listed=asyncio.Event())
    options = AdmissionOptions(("127.0.0.1", port), None if made else tmp_path, "hook" if made else "")
    async with webhook_served(options, context, host, webhooks, stop) as unready:
        assert unready() == "the admission webhook has no certificate yet"
        pair = issue(("127.0.0.1",), datetime.now(UTC), 3600, 60)
        (tmp_path / "tls.crt").write_text(pair.chain)
        (tmp_path / "tls.key").write_text(pair.key)
        async with asyncio.timeout(300):
            while unready() or (made and not webhooks.authorities):  # noqa: ASYNC110 - as probes do
                await asyncio.sleep(0.01)
        authority = webhooks.authorities[0] if made else pair.authority
        assert (await answered(port, authority)).status_code == 503
        host.listed.set()
        assert not (await answered(port, authority)).json()["response"]["allowed"]
    assert not webhooks.authorities or made, "nothing is written with a certificate of somebody else"
