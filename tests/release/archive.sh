# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Where this host takes Debian packages from, for scripts that make chroots of other
# releases. To be sourced.

# The URI from which apt takes main of the host's own release; $1: "" or "-security".
archive_uri() {
	local codename
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
		'Created-By: Packages' |
		awk -v want="$codename$1" '$1 == want && $2 == "main" { print $3; exit }'
}

# Options of apt that belong to the archive, one a line. An archive that is a frozen copy
# has outdated Release files; use the host's word.
archive_options() {
	apt-config dump | grep -E '^Acquire::(Check-|[a-z]+::Proxy)' || true
}
