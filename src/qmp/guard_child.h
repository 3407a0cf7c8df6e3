// SPDX-License-Identifier: MIT
/*
 * The process that is the guard: carries out what qmp/guard_table.h decides. It has no
 * descriptor but its own, sleeps when nothing happens, and never waits for anybody.
 */
#ifndef QMPIN_QMP_GUARD_CHILD_H
#define QMPIN_QMP_GUARD_CHILD_H

/**
 * Become the guard. To be called in a fresh child with all signals blocked; closes what
 * it has inherited.
 *
 * @pipe    to the daemon; when its other end closes, everything is given up
 * @daemon  pidfd of the daemon, or negative: an end of the pipe may be left in another
 *          child of it
 */
_Noreturn void guard_child_run(int pipe, int daemon);

#endif
