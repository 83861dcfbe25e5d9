"""What the shop keeps in Elasticsearch: orders of two regions, side by side in the same indices, and two logs."""

import json
from typing import Any

import httpx

_KEYWORD = {"type": "keyword"}
_ORDER_FIELDS = {
    "order": {"type": "integer"},
    "region": _KEYWORD,
    "placed": {"type": "date"},
    "total": {"type": "double"},
    "customer": {"properties": {"name": _KEYWORD, "city": _KEYWORD, "ssn": _KEYWORD}},
    "payment": {"properties": {"method": _KEYWORD, "iban": _KEYWORD}},
}


def _order(
    number: int, region: str, day: str, total: float, customer: tuple[str, str, str], iban: str
) -> dict[str, Any]:
    name, city, ssn = customer
    return {
        "order": number,
        "region": region,
        "placed": f"2026-{day}",
        "total": total,
        "customer": {"name": name, "city": city, "ssn": ssn},
        "payment": {"method": "debit", "iban": iban},
    }


ORDERS: dict[str, list[dict[str, Any]]] = {
    "orders-2026-10": [
        _order(1001, "eu", "10-03", 129.90, ("Marta Ruiz", "Sevilla", "281-04-7719"), "ES9121000418450200051332"),
        _order(1002, "us", "10-09", 54.00, ("Dana Whitfield", "Tulsa", "412-66-0193"), "US-0047-2281-9930"),
        _order(1003, "eu", "10-21", 18.75, ("Jonas Brandt", "Kiel", "655-18-3002"), "DE89370400440532013000"),
    ],
    "orders-2026-11": [
        _order(1004, "us", "11-02", 310.00, ("Luis Ortega", "El Paso", "523-90-4471"), "US-0051-7719-0042"),
        _order(1005, "eu", "11-05", 72.20, ("Aino Virtanen", "Turku", "190-27-5568"), "FI2112345600000785"),
        _order(1006, "us", "11-06", 9.95, ("Grace Okafor", "Newark", "338-71-2205"), "US-0039-1184-5520"),
        _order(1007, "eu", "11-08", 240.00, ("Claire Moreau", "Nantes", "704-55-9013"), "FR1420041010050500013M02606"),
    ],
}
AUDIT = [
    {"at": "2026-11-05T08:14:02Z", "payment": "pay-88121", "order": 1005, "event": "authorized"},
    {"at": "2026-11-05T08:14:09Z", "payment": "pay-88121", "order": 1005, "event": "captured"},
]
LOG = [{"at": "2026-11-08T17:40:00Z", "indexed": 7, "failed": 0}]

CONTENTS: dict[str, list[dict[str, Any]]] = {**ORDERS, "audit-payments": AUDIT, "indexer-log": LOG}


def fill(admin: httpx.Client) -> dict[str, int]:
    """Create the indices with their documents; return how many each has."""
    for index, documents in CONTENTS.items():
        mappings = {"properties": _ORDER_FIELDS} if index in ORDERS else {}
        settings = {"number_of_shards": 1, "number_of_replicas": 0}
        admin.put(f"/{index}", json={"mappings": mappings, "settings": settings}).raise_for_status()
        lines: list[dict[str, Any]] = []
        for number, document in enumerate(documents, start=1):
            lines += [{"create": {"_id": str(document["order"] if index in ORDERS else number)}}, document]
        body = "".join(f"{json.dumps(line)}\n" for line in lines)
        answer = admin.post(
            f"/{index}/_bulk?refresh=true", content=body, headers={"Content-Type": "application/x-ndjson"}
        )
        answer.raise_for_status()
        if answer.json()["errors"]:
            raise RuntimeError(f"Elasticsearch refused documents of {index}: {answer.text}")
    return {index: len(documents) for index, documents in CONTENTS.items()}


def count_of(region: str) -> int:
    return sum(order["region"] == region for orders in ORDERS.values() for order in orders)
