#!/usr/bin/env bash
# Needs bash and curl 7.76 or newer. Secrets go to curl through its standard input: arguments can be read by other processes.
set -euo pipefail

if [[ $ELASTICSEARCH_URL != https://* ]]; then
  echo "ELASTICSEARCH_URL must begin with https: tokens are bearer tokens" >&2
  exit 2
fi

renew_before=225 # The metadata server hands out the same token until four minutes before it expires.
token="" expires=0
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

fetch_token() {
  local fetched payload ends=""
  fetched=$(curl --disable --noproxy '*' --silent --show-error --fail --max-time 5 --header 'Metadata-Flavor: Google' \
    --get --data-urlencode "audience=$ELASTICSEARCH_AUDIENCE" --data 'format=full' \
    "http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1/instance/service-accounts/default/identity") ||
    fetched=""
  if [[ $fetched =~ ^[A-Za-z0-9_=-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_=-]+$ ]]; then
    payload=$(tr '_-' '/+' <<<"${BASH_REMATCH[1]}")
    while ((${#payload} % 4)); do payload+='='; done
    ends=$(base64 --decode 2>/dev/null <<<"$payload" | sed -nE 's/.*"exp": *([0-9]{1,12})[^0-9].*/\1/p') || ends=""
  fi
  if [[ -z $ends ]]; then
    echo "the metadata server gives no identity token" >&2
    return 1
  fi
  expires=$ends token=$fetched
}

renew_token() {
  local now
  printf -v now '%(%s)T' -1
  ((expires - now >= renew_before)) || fetch_token || ((expires > now)) # An old one may still be good.
}

opaque_id() {
  if [[ -n ${K_SERVICE:-} ]]; then
    echo "X-Opaque-Id: $K_SERVICE/$K_REVISION"
  elif [[ -n ${CLOUD_RUN_JOB:-} ]]; then
    echo "X-Opaque-Id: $CLOUD_RUN_JOB/$CLOUD_RUN_EXECUTION"
  elif [[ -n ${CLOUD_RUN_WORKER_POOL:-} ]]; then
    echo "X-Opaque-Id: $CLOUD_RUN_WORKER_POOL/$CLOUD_RUN_WORKER_POOL_REVISION"
  fi
}

send() { # path; curl retries after 408, 429, 500, 502, 503 and 504, with backoff
  {
    echo "Authorization: Bearer $token"
    opaque_id
    if [[ -n ${ELASTICSEARCH_CLIENT_SECRET:-} ]]; then
      echo "ES-Client-Authentication: SharedSecret $ELASTICSEARCH_CLIENT_SECRET"
    fi
  } | curl --disable --silent --show-error --connect-timeout 5 --max-time "${ELASTICSEARCH_TIMEOUT:-30}" \
    --retry 3 --retry-connrefused --retry-max-time 60 --header @- \
    ${ELASTICSEARCH_CA:+--cacert "$ELASTICSEARCH_CA"} --output "$answer" --write-out '%{http_code}' \
    "$ELASTICSEARCH_URL$1"
}

elasticsearch() { # path
  local status
  renew_token # Not in a subshell, which would forget the token.
  status=$(send "$1")
  if [[ $status == 401 ]] && fetch_token; then
    status=$(send "$1")
  fi
  if ((status >= 300)); then
    echo "Elasticsearch answers $status: $(<"$answer")" >&2
    return 1
  fi
  cat "$answer"
}

for index in "$@"; do
  elasticsearch "/$index/_search?size=10"
  echo
done
