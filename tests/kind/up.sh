#!/usr/bin/env bash
# A kind cluster with Elasticsearch and the chart in it; safe to run again. Usage: up.sh PYTHON FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=$1
folder=$(realpath -m "$2")
name=searchaccess
image=searchaccess-operator:kind

missing=0
for tool in docker kind kubectl helm; do
  if ! command -v "$tool" >/dev/null 2>&1; then
    echo "missing: $tool" >&2
    missing=1
  fi
done
((missing == 0))

mkdir -p "$folder"
if ! kind get clusters 2>/dev/null | grep -qx "$name"; then
  rm -f "$folder/env" # Of a cluster before this one.
  kind create cluster --config tests/kind/cluster.yaml --wait 180s --kubeconfig "$folder/kubeconfig"
fi
kind get kubeconfig --name "$name" >"$folder/kubeconfig"
export KUBECONFIG=$folder/kubeconfig

docker build --quiet -f operator/Dockerfile -t "$image" .
kind load docker-image "$image" --name "$name"

"$python" -m tests.kind "$folder"
kubectl apply -f "$folder/elasticsearch.yaml" -f tests/kind/elasticsearch.yaml
kubectl rollout status statefulset/elasticsearch -n elastic --timeout=600s

kubectl create namespace searchaccess-system --dry-run=client -o yaml | kubectl apply -f -
helm upgrade --install searchaccess charts/searchaccess-operator -n searchaccess-system --wait --timeout 300s \
  --set image.repository="${image%:*}" --set image.tag="${image#*:}" --set instance=kind
# The suite brings an operator of its own; tests of the chart start this one again.
kubectl scale deployment --all --replicas=0 -n searchaccess-system
echo "Ready: make kind-test. To look around: export KUBECONFIG=$folder/kubeconfig"
