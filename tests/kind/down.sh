#!/usr/bin/env bash
# Deletes the kind cluster and, where up.sh started one, its Docker. Usage: down.sh PYTHON FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=$1
folder=$(realpath -m "$2")
if [[ -e $folder/docker.env ]]; then
  "$python" -m tests.kind.offline down "$folder"
elif [[ -x $folder/run ]]; then
  "$folder/run" kind delete cluster --name "$(<"$folder/name")"
fi
rm -rf "$folder"
