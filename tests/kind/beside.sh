#!/usr/bin/env bash
# Runs a command beside the tests in kind, which mostly wait; fails if one of them does.
# Usage: beside.sh LOG COMMAND OF KIND… -- COMMAND….
#
# What the tests in kind print is in LOG, and shown when both have ended. Where there is not enough memory for both, the
# command begins when they have ended.
set -euo pipefail

log=$1
shift
in_kind=()
while [[ $1 != -- ]]; do
  in_kind+=("$1")
  shift
done
shift

# In kB: two processes with three Elasticsearch each, and the cluster.
needed=$((${SEARCHACCESS_TEST_BESIDE_GB:-14} * 1024 * 1024))
available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo 2>/dev/null || true)

finish() {
  kill "$pid" 2>/dev/null || true
  wait "$pid" || true
}
mkdir -p "$(dirname "$log")"
if ((${available:-0} >= needed)); then
  echo "Tests in kind run beside the others; what they print is in $log and follows"
  "${in_kind[@]}" >"$log" 2>&1 &
  pid=$!
  trap finish EXIT # Also at Ctrl-C, which does not reach what runs in the background.
  code=0
  "$@" || code=$?
  kind_code=0
  wait "$pid" || kind_code=$?
  trap - EXIT
  echo "In kind:"
  cat "$log"
else
  kind_code=0
  "${in_kind[@]}" || kind_code=$?
  code=0
  "$@" || code=$?
fi
exit $((kind_code ? kind_code : code))
