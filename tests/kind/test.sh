#!/usr/bin/env bash
# Makes a kind cluster, runs tests on it, and deletes it; one that is there already is used, and stays.
# Usage: test.sh PYTHON FOLDER [ARGUMENT…]. Where no cluster can be made it says so, and is no failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=$1
folder=$2
shift 2

if ! tests/kind/published.sh && ! reason=$("$python" -m tests.kind.offline check "$folder" 2>&1); then
  echo "NOT TESTED in kind: ${reason#error: }" >&2
  exit 0
fi

finish() {
  code=$?
  if ((code)) && [[ -x $folder/run ]]; then
    "$folder/run" kubectl get pods,events --all-namespaces || true
    "$folder/run" kubectl logs -n searchaccess-system -l app.kubernetes.io/name=searchaccess-operator --tail=100 || true
  fi
  tests/kind/down.sh "$python" "$folder"
  exit "$code"
}
if ! [[ -e $folder/ready ]] || ! "$folder/run" kubectl get --raw=/readyz --request-timeout=10s >/dev/null 2>&1; then
  tests/kind/down.sh "$python" "$folder" # What is left of one that was never ready, or that has ended.
  trap finish EXIT
  tests/kind/up.sh "$python" "$folder"
fi
"$folder/run" "$python" -m pytest --stack=kind "$@"
