// SPDX-License-Identifier: MIT
/*
 * In the place of qmp/monitor.c, qmp/reception.c and vm/discovery.c: QEMUs that answer
 * after a millisecond, say what happens to them, and at times serve somebody else or
 * nobody.
 */
#ifndef QMPIN_TESTS_SIM_QEMU_H
#define QMPIN_TESTS_SIM_QEMU_H

#include "model.h"
#include "qmp/event.h"

/** The monitor's socket appears, and vanishes. */
void qemu_open(struct guest *g);
void qemu_close(struct guest *g);

/** The process has ended: sessions break off. */
void qemu_ended(struct guest *g);

void qemu_event(struct guest *g, enum qmp_event_kind kind);

/** Somebody else uses the monitor for a moment. */
void qemu_serve_other(struct guest *g);

/** It does not answer, until qemu_recover. */
void qemu_hang(struct guest *g);
void qemu_recover(struct guest *g);

#endif
