#!/usr/bin/env bash
# A kind cluster with Elasticsearch and the chart in it; safe to run again. Usage: up.sh PYTHON FOLDER
#
# It runs in the Docker that there is. Where there is none, or image registries cannot be reached, in one of its own
# with images made from packages: tests/kind/offline.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=$1
folder=$(realpath -m "$2")
image=searchaccess-operator:kind
envoy=envoyproxy/envoy:v1.40.0 # As in the chart's values.
# No step goes on, and starts something, after this script was killed.
with_us=("$python" -I -S tests/stack/running/dies_with_parent.py $$)

say() { echo "== $1 (${SECONDS} s)"; }

mkdir -p "$folder"
rm -f "$folder/ready"
# Several checkouts may share a Docker.
name=${SEARCHACCESS_KIND_CLUSTER:-searchaccess-$(printf '%08x' "$(pwd -P | cksum | cut -d' ' -f1)")}
echo "$name" >"$folder/name"
"$python" -m tests.kind.offline tools "$folder"
export PATH="$folder/bin:$PATH"

say "Looking for a Docker"
if [[ -e $folder/docker/dockerd.json ]] || ! tests/kind/published.sh; then
  echo "No Docker with published images: one of its own, with images made from packages."
  "${with_us[@]}" "$python" -m tests.kind.offline docker "$folder" >"$folder/docker.env"
  # shellcheck source=/dev/null
  source "$folder/docker.env"
fi

# What runs anything beside the cluster: in its network, with its environment and tools.
cat >"$folder/run" <<RUN
#!/usr/bin/env bash
set -euo pipefail
enter=()
[[ ! -e "$folder/docker.env" ]] || source "$folder/docker.env"
[[ ! -e "$folder/env" ]] || source "$folder/env"
export PATH="$folder/bin:\$PATH" KUBECONFIG="$folder/kubeconfig"
exec "\${enter[@]}" "\$@"
RUN
chmod +x "$folder/run"
run=$folder/run

if ! kind get clusters 2>/dev/null | grep -qx "$name"; then
  say "Making the cluster"
  rm -f "$folder/env" # Of a cluster before this one.
  "${with_us[@]}" "$run" kind create cluster --name "$name" --config tests/kind/cluster.yaml ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"} \
    --wait 180s --kubeconfig "$folder/kubeconfig"
fi
kind get kubeconfig --name "$name" >"$folder/kubeconfig"
port=$(docker port "$name-control-plane" 30920/tcp)

say "Building the operator's image, and that of the last landed version"
images=("$image" "$envoy")
landed_image=""
landed=$("$python" -m tests.support.landed)
if git cat-file -e "$landed^{commit}" 2>/dev/null; then
  landed_image=${image%:*}:landed
  images+=("$landed_image")
else
  echo "The repository's history is not here: upgrades cannot be tested."
fi
if [[ -e $folder/docker.env ]]; then
  "${with_us[@]}" "$python" -m tests.kind.offline image "$folder" "$image"
  "${with_us[@]}" "$python" -m tests.kind.offline envoy "$folder"
  [[ -z $landed_image ]] || "${with_us[@]}" "$python" -m tests.kind.offline landed "$folder" "$landed_image"
else
  docker build --quiet -f operator/Dockerfile -t "$image" .
  docker pull --quiet "docker.io/$envoy"
  [[ -z $landed_image ]] || git archive "$landed" | docker build --quiet -f operator/Dockerfile -t "$landed_image" -
fi
kind load docker-image "${images[@]}" --name "$name"

say "Starting Elasticsearch"
"$python" -m tests.kind "$folder" "${port##*:}"
"$run" kubectl apply -f "$folder/elasticsearch.yaml" -f tests/kind/elasticsearch.yaml
"$run" kubectl rollout status statefulset/elasticsearch -n elastic --timeout=600s

say "Installing the chart"
"$run" kubectl create namespace searchaccess-system --dry-run=client -o yaml | "$run" kubectl apply -f -
"$run" kubectl label --overwrite namespace searchaccess-system pod-security.kubernetes.io/enforce=restricted
if "$run" helm status searchaccess -n searchaccess-system >/dev/null 2>&1; then
  # Helm does not upgrade CRDs (docs/install.md).
  "$run" kubectl apply --server-side --force-conflicts -f crds
fi
"$run" helm upgrade --install searchaccess charts/searchaccess-operator -n searchaccess-system --wait --timeout 300s \
  --values tests/kind/values.yaml
# The suite brings an operator of its own; tests of the chart start this one again.
"$run" kubectl scale deployment --all --replicas=0 -n searchaccess-system
touch "$folder/ready"
say "Ready: make kind-test. To look around: $folder/run bash"
