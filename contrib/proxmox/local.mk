# The Debian package, from the tarball: `make deb`, or `make deb SUITES=bookworm`. Built in
# clean chroots, which needs root; packages are in deb/ of the build directory.
SUITES = bookworm trixie
EXTRA_DIST += contrib/proxmox/build-deb contrib/proxmox/debian

deb: dist
	set -e; for suite in $(SUITES); do \
		$(srcdir)/contrib/proxmox/build-deb $$suite $(distdir).tar.xz deb/$$suite; \
	done

.PHONY: deb
