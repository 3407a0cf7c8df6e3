# SPDX-License-Identifier: MIT
#
# A 512 byte boot sector that acknowledges ACPI CPU hotplug as a guest OS would, for QEMU's
# q35 machine (ICH9: CPU hotplug registers at 0xcd8, modern interface).
#
# It sleeps in HLT. A plugged or unplugged CPU raises general purpose event 2, hence the
# SCI (IRQ 9), and every changed CPU is answered with _OST: within a millisecond, at no
# CPU time while nothing happens. The firmware's timer tick (55 ms) looks as well, so a
# missed interrupt costs a moment and not the test.
#
# Source: QEMU docs/specs/acpi_cpu_hotplug; the PM base 0x600 is what SeaBIOS programs.
	.set	HOTPLUG, 0xcd8		# selector; flags +4, command +5, data +8
	.set	FLAGS, HOTPLUG + 4
	.set	COMMAND, HOTPLUG + 5
	.set	DATA, HOTPLUG + 8
	.set	GPE0_STATUS, 0x620
	.set	GPE0_ENABLE, 0x628
	.set	GPE_CPU, 4		# bit 2
	.set	SCI_VECTOR, 0x71	# IRQ 9 as the firmware maps the second PIC
	.set	MAX_CPUS, 64

	.code16
	.globl	_start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movw	$on_sci, SCI_VECTOR * 4
	movw	%ax, SCI_VECTOR * 4 + 2
	movw	$HOTPLUG, %dx
	outb	%al, %dx		# a write of 0: legacy to modern interface
	inb	$0xa1, %al		# second PIC: let IRQ 9 through
	andb	$0xfd, %al
	outb	%al, $0xa1
	inb	$0x21, %al		# first PIC: the cascade
	andb	$0xfb, %al
	outb	%al, $0x21
	movw	$GPE0_ENABLE, %dx
	movb	$GPE_CPU, %al
	outb	%al, %dx
	outb	%al, $0xe9		# debug console: the guest is up

look:
	movl	$1, %ebx
next:
	movw	$HOTPLUG, %dx
	movl	%ebx, %eax
	outl	%eax, %dx
	movw	$FLAGS, %dx
	inb	%dx, %al
	testb	$2, %al			# inserted
	jz	1f
	movb	$2, %al
	outb	%al, %dx		# clear the event
	movb	$1, %cl			# device check ...
	xorl	%esi, %esi		# ... succeeded
	call	ost
1:	movw	$FLAGS, %dx
	inb	%dx, %al
	testb	$4, %al			# to be removed
	jz	2f
	movb	$4, %al
	outb	%al, %dx
	movb	$3, %cl			# eject request ...
	movl	$0x84, %esi		# ... in progress
	call	ost
	movw	$FLAGS, %dx
	movb	$8, %al			# eject
	outb	%al, %dx
2:	incl	%ebx
	cmpl	$MAX_CPUS, %ebx
	jb	next
	sti
	hlt
	cli
	jmp	look

# Report for the selected CPU: cl is the event, esi its status.
ost:
	movw	$COMMAND, %dx
	movb	$1, %al
	outb	%al, %dx
	movw	$DATA, %dx
	movzbl	%cl, %eax
	outl	%eax, %dx
	movw	$COMMAND, %dx
	movb	$2, %al
	outb	%al, %dx
	movw	$DATA, %dx
	movl	%esi, %eax
	outl	%eax, %dx
	ret

# The SCI is a level: it falls when the event's status bit is cleared.
on_sci:
	pushw	%ax
	pushw	%dx
	movw	$GPE0_STATUS, %dx
	movb	$GPE_CPU, %al
	outb	%al, %dx
	movb	$0x20, %al		# end of interrupt, both PICs
	outb	%al, $0xa0
	outb	%al, $0x20
	popw	%dx
	popw	%ax
	iretw

	.org	510
	.word	0xaa55
