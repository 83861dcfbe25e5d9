import os
import sys

from searchaccess_client import Elasticsearch

client = Elasticsearch(
    os.environ["ELASTICSEARCH_URL"],
    audience=os.environ["ELASTICSEARCH_AUDIENCE"],
    ca_certs=os.environ.get("ELASTICSEARCH_CA"),
    client_secret=os.environ.get("ELASTICSEARCH_CLIENT_SECRET"),
    request_timeout=30,
    max_retries=3,
)

for index in sys.argv[1:]:
    print(client.search(index=index, size=10).body)
