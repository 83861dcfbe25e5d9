import os
import sys
from contextlib import closing

from elasticsearch import ApiError, TransportError, helpers

from searchaccess_client import Elasticsearch


def connect() -> Elasticsearch:
    return Elasticsearch(
        os.environ["ELASTICSEARCH_URL"],
        audience=os.environ["ELASTICSEARCH_AUDIENCE"],
        ca_certs=os.environ.get("ELASTICSEARCH_CA"),
        client_secret=os.environ.get("ELASTICSEARCH_CLIENT_SECRET"),
        request_timeout=float(os.environ.get("ELASTICSEARCH_TIMEOUT", "30")),
        max_retries=3,
    )


def write(client: Elasticsearch, index: str) -> None:
    orders = [{"_index": index, "_id": f"order-{number}", "total": number} for number in (1, 2)]
    written, _ = helpers.bulk(client, orders)  # Raises a BulkIndexError that names what was refused.
    print(f"{written} written")


def main(arguments: list[str]) -> None:
    with closing(connect()) as client:
        if arguments[:1] == ["--write"]:
            write(client, arguments[1])
        else:
            for index in arguments:
                print(client.search(index=index, size=10).body)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ApiError as error:
        sys.exit(f"Elasticsearch answers {error.status_code}: {error}")
    except helpers.BulkIndexError as error:
        sys.exit(f"refused: {error.errors}")
    except TransportError as error:  # Also IdentityTokenMissing.
        sys.exit(f"{type(error).__name__}: {error}")
