#!/bin/sh
# Runs a command in a mount namespace of its own: what it mounts ends with it. For root, in a chroot, too. With --can: only
# checks that this can be done.
if unshare --mount true 2>/dev/null; then
	[ "$1" != --can ] || exit 0
	exec unshare --mount --propagation private "$@"
fi
[ -d /mnt ] && unshare --mount --propagation unchanged true 2>/dev/null || exit 1
[ "$1" != --can ] || exit 0
# In a chroot whose root is no mount point, what is mounted is made private one by one. In a root that is one, /mnt,
# unshare works.
# shellcheck disable=SC2016 # expanded there
exec unshare --mount --propagation unchanged sh -c '
	sed "s/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .*/\1/" /proc/self/mountinfo | xargs -n 1 mount --make-private &&
		mount --rbind / /mnt && exec chroot /mnt sh -c "cd \"\$1\" && shift && exec \"\$@\"" sh "$@"' sh "$PWD" "$@"
