#!/usr/bin/env bash
# Makes a kind cluster, runs tests on it, and deletes it; one that is there already is used, and stays.
# Usage: test.sh PYTHON FOLDER [ARGUMENT…].
#
# Where no cluster can be made it fails if SEARCHACCESS_TEST_KIND is `required`, as it is in a CI that could install
# what is missing. Elsewhere, or if the variable is `optional`, it is no failure: FOLDER-not-tested then says why.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=$1
folder=$2
shift 2

is_required() {
  case ${SEARCHACCESS_TEST_KIND:-} in
    required) true ;;
    optional) false ;;
    "") [[ ${CI:-} == true && $(id -u) == 0 ]] && command -v apt-get >/dev/null ;;
    *) echo "SEARCHACCESS_TEST_KIND is neither required nor optional: $SEARCHACCESS_TEST_KIND" >&2 && exit 2 ;;
  esac
}

rm -f "$folder-not-tested"
if ! tests/kind/published.sh && ! reason=$("$python" -m tests.kind.offline check "$folder" 2>&1); then
  said="NOT TESTED in kind: ${reason#error: }"
  if is_required; then
    echo "$said" >&2
    echo "It is required here; SEARCHACCESS_TEST_KIND=optional lets the other tests pass without it." >&2
    exit 1
  fi
  mkdir -p "$(dirname "$folder")"
  echo "$said" | tee "$folder-not-tested" >&2
  exit 0
fi

finish() {
  code=$?
  if ((code)) && [[ -x $folder/run ]]; then
    "$folder/run" kubectl get pods,events --all-namespaces || true
    "$folder/run" kubectl logs -n searchaccess-system -l app.kubernetes.io/name=searchaccess-operator --tail=100 || true
  fi
  tests/kind/down.sh "$python" "$folder"
  kill "$cleaner" 2>/dev/null || true
  exit "$code"
}
# SIGKILL runs no trap: it ends what this script started, and another process, in a session of its own, then cleans up.
with_us=("$python" -I -S tests/stack/running/dies_with_parent.py $$)
if ! [[ -e $folder/ready ]] || ! "$folder/run" kubectl get --raw=/readyz --request-timeout=10s >/dev/null 2>&1; then
  tests/kind/down.sh "$python" "$folder" # What is left of one that was never ready, or that has ended.
  setsid bash -c 'tail --pid="$0" -f /dev/null; exec tests/kind/down.sh "$@"' $$ "$python" "$folder" \
    </dev/null >/dev/null 2>&1 &
  cleaner=$!
  trap finish EXIT
  "${with_us[@]}" tests/kind/up.sh "$python" "$folder"
fi
"${with_us[@]}" "$folder/run" "$python" -m pytest --stack=kind "$@"
