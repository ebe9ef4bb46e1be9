/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Signals at random points of system calls, with SA_RESTART and without. A call that fails with
 * EINTR has had no effect, and one that is restarted takes effect once: handles and descriptors
 * have the same numbers in each round, and the driver counts as many jobs as were submitted.
 */

#include "drm.h"

/* sys/signal.h, sys/time.h, sys/fcntl.h */
#define SIGALRM	14
#define SA_RESTART	0x0002
#define ITIMER_REAL	0
#define F_DUPFD	0

struct sigaction {
	void (*handler)(int);
	int flags;
	uint32_t mask[4];
};

struct itimerval {
	int64_t interval_s, interval_us;
	int64_t value_s, value_us;
};

struct call {
	const char *name;
	/* Signals that arrived during the call: [0] without SA_RESTART, [1] with it. */
	volatile uint64_t hits[2];
	/* How often it failed with EINTR. */
	uint64_t ended;
};

/*
 * Rounds after which SA_RESTART is set or cleared, and rounds without a signal during a call after
 * which the test fails.
 */
#define TURN	4
#define PATIENCE	20000

static struct call calls[24];
/* The call that is being made. */
static struct call *volatile under_way;
/* Whether the handler has SA_RESTART. */
static volatile int restarting;

/*
 * Starts or stops the timer of the next signal: 1 to 1,023 us, of which the kernel makes at least
 * 62.
 */
static void
arm(int on)
{
	static uint32_t random = 1;
	struct itimerval timer = { 0, 0, 0, 0 };

	random = random * 1664525 + 1013904223;
	timer.value_us = on ? 1 + (random >> 8) % 1023 : 0;
	sys(SYS_SETITIMER, ITIMER_REAL, &timer, NULL);
}

static void
caught(int signal)
{
	(void)signal;
	if (under_way != NULL)
		under_way->hits[restarting]++;
	arm(1);
}

static void
catch(int restart)
{
	struct sigaction action = { caught, restart ? SA_RESTART : 0, { 0, 0, 0, 0 } };

	must("sigaction", sys(SYS_SIGACTION, SIGALRM, &action, NULL));
	restarting = restart;
}

static uint64_t
hits(int restart)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < nitems(calls); i++)
		sum += calls[i].hits[restart];
	return (sum);
}

/* Finds or adds the entry of a call. */
static struct call *
call_of(const char *name)
{
	size_t i;

	for (i = 0; i < nitems(calls) - 1 && calls[i].name != NULL; i++) {
		if (strcmp(calls[i].name, name) == 0)
			break;
	}
	calls[i].name = name;
	return (&calls[i]);
}

/* Returns the lowest free descriptor. */
static long
free_descriptor(void)
{
	long fd = must("fcntl", sys(SYS_FCNTL, 0l, F_DUPFD, 0l));

	sys(SYS_CLOSE, fd);
	return (fd);
}

long
signaled(const char *name, int fd, uint64_t request, void *argument)
{
	struct call *call = call_of(name);
	long error, next = free_descriptor();

	for (;;) {
		under_way = call;
		error = drm(fd, request, argument);
		under_way = NULL;
		if (error != -EINTR)
			return (error);
		call->ended++;
		expect("EINTR despite SA_RESTART", restarting, 0);
		expect("the next descriptor after EINTR", free_descriptor(), next);
	}
}

/* poll(2) is never restarted. */
void
signaled_poll(int fd)
{
	struct call *call = call_of("poll");
	struct pollfd poll = { fd, POLLIN, 0 };
	long n;

	for (;;) {
		under_way = call;
		n = sys(SYS_POLL, &poll, 1l, 20000l);
		under_way = NULL;
		if (n != -EINTR)
			break;
		call->ended++;
	}
	expect("poll of a sync_file", n, 1);
}

void
signaled_prime(int fd, uint32_t handle)
{
	struct drm_prime_handle out = { .handle = handle, .flags = O_RDWR | O_CLOEXEC }, in;

	must("PRIME_HANDLE_TO_FD", signaled("HANDLE_TO_FD", fd, PRIME_HANDLE_TO_FD, &out));
	in = (struct drm_prime_handle) { .fd = out.fd };
	must("PRIME_FD_TO_HANDLE", signaled("FD_TO_HANDLE", fd, PRIME_FD_TO_HANDLE, &in));
	expect("handle after export and import", in.handle, handle);
	sys(SYS_CLOSE, (long)out.fd);
}

void
signals(int fd, const struct native_driver *driver, uint64_t count)
{
	uint64_t jobs = 0, mem, rounds, last = 0, seen, until;
	long next;
	size_t i;

	/* Without an action a signal would kill the process. */
	catch(1);
	jobs += driver->round(fd);
	sleep_ms(100);
	next = free_descriptor();
	mem = statistic(driver, "mem");
	arm(1);
	for (rounds = 0; failures == 0 && hits(0) + hits(1) < count; rounds++) {
		if (rounds % TURN == 0)
			catch(rounds / TURN % 2 != 0);
		seen = hits(0) + hits(1);
		jobs += driver->round(fd);
		if (hits(0) + hits(1) != seen)
			last = rounds;
		expect("too few signals", rounds - last > PATIENCE, 0);
	}
	arm(0);
	expect("the next descriptor", free_descriptor(), next);
	/* The driver frees a job soon after its completion. */
	until = now_ns() + 5000000000;
	while (statistic(driver, "mem") > mem && now_ns() < until)
		sleep_ms(10);
	expect("the driver's memory", (long)statistic(driver, "mem"), (long)mem);
	for (i = 0; i < nitems(calls) && calls[i].name != NULL; i++) {
		say("%s: %u signals without SA_RESTART, %u with it, %u times EINTR\n",
		    calls[i].name, calls[i].hits[0], calls[i].hits[1], calls[i].ended);
		/* Among fewer signals a short call may get none. */
		expect("a call without a signal",
		    count >= 10000 && calls[i].hits[0] + calls[i].hits[1] == 0, 0);
	}
	expect("too few signals without SA_RESTART", hits(0) < count / 8, 0);
	expect("too few signals with SA_RESTART", hits(1) < count / 8, 0);
	say("signals %u\n", hits(0) + hits(1));
	say("jobs %u\n", jobs);
}
