# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Fresh Debian systems in a chroot, for scripts. To be sourced. The base system and the
# packages that were downloaded are kept in ${XDG_CACHE_HOME:-~/.cache}/qmpin and used
# again; remove that to start afresh. All of it needs root.

chroot_lib=$(realpath "${BASH_SOURCE[0]}")
chroot_cache=${XDG_CACHE_HOME:-$HOME/.cache}/qmpin
# shellcheck source=SCRIPTDIR/archive.sh
. "$(dirname "$chroot_lib")/archive.sh"

# It cannot be had here.
skip() {
	echo "${0##*/}: $*, skipped" >&2
	exit 77
}

chroot_make_base() { # SUITE
	local suite=$1 base=$chroot_cache/base-$1.tar tmp main
	command -v debootstrap >/dev/null || skip "debootstrap is not installed"
	main=$(archive_uri "")
	[ -n "$main" ] || skip "no archive of this host's own release in /etc/apt"
	tmp=$(mktemp -d "$chroot_cache/base.XXXXXX")
	echo "${0##*/}: building the base system of $suite"
	if ! debootstrap --variant=minbase --include=ca-certificates \
		"$suite" "$tmp/root" "$main" >"$chroot_cache/debootstrap-$suite.log" 2>&1; then
		tail -n 5 "$chroot_cache/debootstrap-$suite.log" >&2
		rm -rf --one-file-system "$tmp"
		skip "debootstrap failed (no network?)"
	fi
	rm -rf "$tmp/root/var/cache/apt/archives"
	tar -C "$tmp/root" -cf "$tmp/base.tar" .
	mv "$tmp/base.tar" "$base"
	rm -rf --one-file-system "$tmp"
}

# chroot_unpack SUITE ROOT: a minimal system in an empty directory.
chroot_unpack() {
	local suite=$1 root=$2 main security
	[ "$(id -u)" = 0 ] || skip "not root"
	mkdir -p "$chroot_cache/debs-$suite/partial"
	[ -e "$chroot_cache/base-$suite.tar" ] || chroot_make_base "$suite"
	tar -C "$root" -xf "$chroot_cache/base-$suite.tar"
	main=$(archive_uri "")
	security=$(archive_uri -security)
	{
		echo "deb $main $suite main"
		echo "deb $main $suite-updates main"
		[ -z "$security" ] || echo "deb $security $suite-security main"
	} >"$root/etc/apt/sources.list"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	archive_options >"$root/etc/apt/apt.conf.d/50host"
	# Downloaded packages stay in the cache; apt would remove them.
	echo 'APT::Keep-Downloaded-Packages "true";' >"$root/etc/apt/apt.conf.d/51keep"
}

# chroot_run SUITE ROOT DIR COMMAND...: in a mount and process namespace of its own, so
# whatever it mounts or starts is gone when it ends. DIR is inside.
chroot_run() {
	local suite=$1
	shift
	# shellcheck disable=SC2016 # the inner shell expands these
	CHROOT_DEBS=$chroot_cache/debs-$suite unshare --mount --pid --fork --kill-child \
		/bin/bash -c '. "$1" && shift && chroot_inside "$@"' "${0##*/}" \
		"$chroot_lib" "$@"
}

chroot_inside() { # ROOT DIR COMMAND...
	local root=$1
	shift
	set -e
	mount --make-rprivate /
	mount -t proc proc "$root/proc"
	mount --rbind /sys "$root/sys"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs tmpfs "$root/run"
	mount -t tmpfs tmpfs "$root/tmp"
	mkdir -p "$root/var/cache/apt/archives"
	mount --bind "$CHROOT_DEBS" "$root/var/cache/apt/archives"
	# shellcheck disable=SC2016 # the inner shell expands these
	exec chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 CI=true \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		/bin/bash -c 'cd "$1" && shift && exec "$@"' chroot "$@" </dev/null
}
