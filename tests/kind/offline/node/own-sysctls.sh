# shellcheck shell=bash
# kubelet sets some sysctls of the whole machine, which are not the node's to change: it sees copies.
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_max{keys,bytes}; do
  mkdir -p "/kind/sysctl/$(dirname $name)"
  cat "/proc/sys/$name" >"/kind/sysctl/$name"
  mount --bind "/kind/sysctl/$name" "/proc/sys/$name"
done
