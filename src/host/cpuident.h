// SPDX-License-Identifier: MIT
/*
 * Which processor a host has. Of the running host the processor itself is asked where
 * it answers, since /proc/cpuinfo may be hidden; of another host its files.
 */
#ifndef QMPIN_HOST_CPUIDENT_H
#define QMPIN_HOST_CPUIDENT_H

#include <stdbool.h>

#define CPUIDENT_TEXT_MAX 65u

/* Empty and 0: unknown. On ARM family is the part, model the variant. */
struct cpuident {
	char vendor[CPUIDENT_TEXT_MAX]; /* "AuthenticAMD", "ARM 0x48" */
	char brand[CPUIDENT_TEXT_MAX];	/* without useless blanks */
	char microcode[CPUIDENT_TEXT_MAX];
	unsigned int family;
	unsigned int model;
	unsigned int stepping;
	bool asked;	 /* an x86 processor, or the kernel, said the next */
	bool hypervisor; /* it runs under a hypervisor (CPUID leaf 1, ECX bit 31) */
	bool xen;	 /* which calls itself Xen: there even the host does */
};

/** @root  "" for the running host */
void cpuident_read(const char *root, struct cpuident *out);

#endif
