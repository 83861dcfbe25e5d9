#!/usr/bin/env bash
# Needs bash and curl 7.76 or newer. Secrets go to curl through its standard input: arguments can be read by other processes.
set -euo pipefail

renew_before=225 # The metadata server hands out the same token until four minutes before its end.
token= ends=0

fetch_token() {
  local fetched payload
  fetched=$(curl --silent --show-error --fail --max-time 5 --header 'Metadata-Flavor: Google' \
    --get --data-urlencode "audience=$ELASTICSEARCH_AUDIENCE" --data 'format=full' \
    "http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1/instance/service-accounts/default/identity") ||
    return
  payload=$(cut -d. -f2 <<<"$fetched" | tr '_-' '/+')
  while ((${#payload} % 4)); do payload+='='; done
  ends=$(base64 --decode <<<"$payload" | sed -nE 's/.*"exp": *([0-9]+).*/\1/p')
  token=$fetched
}

renew_token() {
  local now
  printf -v now '%(%s)T' -1
  ((ends - now >= renew_before)) || fetch_token || ((ends > now)) # An old one may still be good.
}

opaque_id() {
  if [[ -n ${K_SERVICE:-} ]]; then
    echo "$K_SERVICE/$K_REVISION"
  elif [[ -n ${CLOUD_RUN_JOB:-} ]]; then
    echo "$CLOUD_RUN_JOB/$CLOUD_RUN_EXECUTION"
  elif [[ -n ${CLOUD_RUN_WORKER_POOL:-} ]]; then
    echo "$CLOUD_RUN_WORKER_POOL/$CLOUD_RUN_WORKER_POOL_REVISION"
  else
    echo unknown
  fi
}

elasticsearch() { # path
  renew_token # Not in a subshell, which would forget the token.
  {
    echo "Authorization: Bearer $token"
    echo "X-Opaque-Id: $(opaque_id)"
    if [[ -n ${ELASTICSEARCH_CLIENT_SECRET:-} ]]; then
      echo "ES-Client-Authentication: SharedSecret $ELASTICSEARCH_CLIENT_SECRET"
    fi
  } | curl --silent --show-error --fail-with-body --max-time 30 --header @- \
    ${ELASTICSEARCH_CA:+--cacert "$ELASTICSEARCH_CA"} "$ELASTICSEARCH_URL$1"
}

for index in "$@"; do
  elasticsearch "/$index/_search?size=10"
  echo
done
