"""Google Cloud's APIs, by the official asynchronous clients."""
