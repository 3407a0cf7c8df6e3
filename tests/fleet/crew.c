// SPDX-License-Identifier: MIT
/*
 * Each thread sleeps in a futex on its own orders. Stacks are as small as the C library
 * allows: a fleet has thousands.
 */
#include "config.h"

#include "crew.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

/* Instrumented code needs more than the least that the C library takes. */
#define STACK_BYTES 65536u

enum {
	ORDER_SLEEP,
	ORDER_BUSY,
	ORDER_END,
};

struct hand {
	char name[16];
	pthread_t thread;
	_Atomic int32_t tid; /* 0: not yet known */
	_Atomic int32_t order;
};

static void
futex_wait(_Atomic int32_t *word, int32_t value)
{
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void
futex_wake(_Atomic int32_t *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void *
run_hand(void *arg)
{
	struct hand *hand = arg;
	int32_t order;

	(void)prctl(PR_SET_NAME, hand->name);
	atomic_store(&hand->tid, (int32_t)syscall(SYS_gettid));
	futex_wake(&hand->tid);
	while ((order = atomic_load(&hand->order)) != ORDER_END) {
		if (order == ORDER_SLEEP)
			futex_wait(&hand->order, ORDER_SLEEP);
	}
	return NULL;
}

static void
command(struct hand *hand, int32_t order)
{
	atomic_store(&hand->order, order);
	futex_wake(&hand->order);
}

static int
start_thread(struct hand *hand)
{
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return r;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = pthread_create(&hand->thread, &attr, run_hand, hand);
	pthread_attr_destroy(&attr);
	return r;
}

struct hand *
crew_add(struct crew *crew, const char *name)
{
	struct hand *hand;
	int r;

	if (crew->n == CREW_MAX) {
		errno = E2BIG;
		return NULL;
	}
	hand = xcalloc(1, sizeof(*hand));
	str_copy(hand->name, sizeof(hand->name), name);
	r = start_thread(hand);
	if (r != 0) {
		free(hand);
		errno = r;
		return NULL;
	}
	while (atomic_load(&hand->tid) == 0)
		futex_wait(&hand->tid, 0);
	crew->hands[crew->n++] = hand;
	return hand;
}

pid_t
crew_tid(const struct hand *hand)
{
	return atomic_load(&hand->tid);
}

void
crew_set_busy(struct hand *hand, bool busy)
{
	command(hand, busy ? ORDER_BUSY : ORDER_SLEEP);
}

void
crew_end(struct crew *crew, struct hand *hand)
{
	size_t at = 0;

	while (crew->hands[at] != hand)
		at++;
	crew->hands[at] = crew->hands[--crew->n];
	command(hand, ORDER_END);
	(void)pthread_join(hand->thread, NULL);
	free(hand);
}
