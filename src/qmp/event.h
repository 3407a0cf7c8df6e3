// SPDX-License-Identifier: MIT
/*
 * The events of QEMU that owners of a monitor tell apart. Data only.
 *
 * Source: QEMU's qapi schema. Since 0.12: RESUME, STOP, RESET, SHUTDOWN; 1.1: SUSPEND,
 * WAKEUP; 1.5: DEVICE_DELETED; 2.1: ACPI_DEVICE_OST (CPU slots 2.7); 2.4: MIGRATION;
 * 6.2: DEVICE_UNPLUG_GUEST_ERROR.
 */
#ifndef QMPIN_QMP_EVENT_H
#define QMPIN_QMP_EVENT_H

enum qmp_event_kind {
	QMP_EVENT_OTHER,
	QMP_EVENT_RESUME,
	QMP_EVENT_STOP,
	QMP_EVENT_RESET,
	QMP_EVENT_SHUTDOWN,
	QMP_EVENT_SUSPEND,
	QMP_EVENT_WAKEUP,
	QMP_EVENT_DEVICE_DELETED,
	QMP_EVENT_ACPI_DEVICE_OST,
	QMP_EVENT_MIGRATION,
	QMP_EVENT_DEVICE_UNPLUG_GUEST_ERROR,
};

struct qmp_event {
	enum qmp_event_kind kind;
	char name[48]; /* as QEMU calls it; escaped */
};

#endif
