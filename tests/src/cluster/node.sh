# The first process of a node, in network, mount and process namespaces of its own: `sh node.sh DIRECTORY`.
#
# What the node's servers write to fixed places of a machine goes to DIRECTORY, or to memory, and is seen by them alone. When this
# process ends, the kernel ends all others in its namespace, and the namespaces with their mounts and interfaces. It ends when its
# input does: that is a pipe which only the test process holds open.
set -eu
directory=$1
exec 3<&0

# A container's file system (overlayfs) cannot carry the layers of another: then memory does.
if [ "$(stat -f -c %T "$directory")" = overlayfs ]; then mount -t tmpfs tmpfs "$directory/disk"; fi
mkdir -p "$directory/disk/containerd"

mount -t tmpfs -o mode=755 tmpfs /run
for tree in lib log; do
    mkdir "$directory/disk/$tree" "$directory/disk/$tree.work"
    mount -t overlay -o "lowerdir=/var/$tree,upperdir=$directory/disk/$tree,workdir=$directory/disk/$tree.work" overlay "/var/$tree"
done

# The kubelet sets these for the whole machine, unless it finds what it wants.
for setting in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=$directory/$(basename "${setting%=*}")
    echo "${setting#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${setting%=*}"
done

mount --make-rshared /
ip link set lo up
echo ready
cat <&3 >/dev/null &
wait # collects the dead whose parents died before them, until there is no input any more
