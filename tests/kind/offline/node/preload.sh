# shellcheck shell=bash
# Loads images from its standard input into a node's containerd, and prints the names of what is there then.
# Usage: preload.sh ROOT, in mount, process and network namespaces of its own.
set -euo pipefail
root=$1
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
mount -t tmpfs tmpfs run
ip link set lo up
chroot "$root" bash -euo pipefail -c '
  containerd --log-level warn >/run/containerd.log 2>&1 &
  for _ in $(seq 150); do
    ctr version >/dev/null 2>&1 && break
    sleep 0.2
  done
  ctr --namespace k8s.io images import --all-platforms --digests - || { cat /run/containerd.log; exit 1; }
  ctr --namespace k8s.io images ls -q
  kill %1
  wait %1 || true'
