# shellcheck shell=bash
# Makes a kind node of a Debian, inside its root folder; what kind's own Dockerfile does, and what is said below.
set -euo pipefail
chmod 755 /usr/local/bin/* /kind /kind/bin /kind/bin/*

# Units that have no place in a container.
rm -f /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* \
  /lib/systemd/system/local-fs.target.wants/* /lib/systemd/system/basic.target.wants/* \
  /lib/systemd/system/sockets.target.wants/*{udev,initctl}*
find /lib/systemd/system/sysinit.target.wants/ \( -name systemd-tmpfiles-setup.service -o -name systemd-sysctl.service \
  -o -name '*udev*' -o -name '*kmod*' -o -name '*modules-load*' -o -name '*binfmt*' \) -delete
echo ReadKMsg=no >>/etc/systemd/journald.conf
ln -sf /usr/lib/systemd/systemd /sbin/init

# Root of the machine may lack CAP_SYS_RESOURCE: no limits above the machine's, no better scores.
sed -i '/^OOMScoreAdjust\|^LimitN\|^LimitC/d' /etc/systemd/system/containerd.service
sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' /etc/containerd/config.toml
# The one that kubeadm names.
pause=$(kubeadm config images list --kubernetes-version "$(cat /kind/version)" | grep /pause:)
sed -i "s#sandbox_image = .*#sandbox_image = \"$pause\"#" /etc/containerd/config.toml

rm -f /lib/systemd/system/containerd.service
systemctl enable kubelet.service containerd.service undo-mount-hacks.service
systemctl mask systemd-binfmt.service systemd-sysctl.service systemd-udevd.service

# A machine with the first version of control groups is good enough for tests.
sed -i 's/^KUBELET_EXTRA_ARGS=/&--fail-cgroupv1=false /' /etc/default/kubelet

# Debian's programs, where kind looks for its own.
mkdir -p /etc/kubernetes/manifests /etc/cni/net.d /opt/cni/bin /usr/local/sbin
rm -f /etc/cni/net.d/*
cp /usr/lib/cni/* /opt/cni/bin/
for program in containerd ctr containerd-shim-runc-v2; do
  ln -sf "/usr/bin/$program" "/usr/local/bin/$program"
done
ln -sf /usr/sbin/runc /usr/local/sbin/runc
ctr oci spec |
  jq '.hooks.createContainer += [{path: "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
    >/etc/containerd/cri-base.json
rm /kind/setup.sh /kind/preload.sh
