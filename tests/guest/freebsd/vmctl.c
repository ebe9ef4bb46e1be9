/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * FreeBSD's own system calls for the guest's scripts, whose other programs are Linux programs.
 *
 *	vmctl kenv NAME			prints a variable of the kernel's environment
 *	vmctl load FILE			kldload(8)
 *	vmctl unload NAME [force]	kldunload(8); with `force`, its -f
 *	vmctl loaded NAME		exits with 1 if no such file is loaded
 *	vmctl sysctl NAME		prints a sysctl and all below it, one per line
 *	vmctl set NAME NUMBER		sets a sysctl of type int
 *	vmctl suspend|resume|detach|attach NAME	devctl(8)
 *	vmctl module NAME		prints address and size of a module, and writes them to the
 *					mailbox for drmboard's --count
 *	vmctl spin			consumes the idle time, without end
 *	vmctl mark NUMBER		writes a mark into the register trace
 *	vmctl usage FILE		saves the counts of what the kernel has allocated
 *	vmctl leaks FIRST SECOND	fails if a count grew from FIRST to SECOND, and again since
 *	vmctl reload N FILE NAME	loads and unloads a module N times; fails if a count grew in
 *					both halves
 *
 * The exit status is the errno, or 0.
 */

#include "sys.h"
#include "vmctl.h"

static long
kld_load(const char *file)
{
	long id = sys(SYS_KLDLOAD, file);

	return (id < 0 ? -id : 0);
}

static long
kld_unload(const char *name, int flags)
{
	long id = sys(SYS_KLDFIND, name);

	return (id < 0 ? -id : -sys(SYS_KLDUNLOADF, id, (long)flags));
}

static long
module(const char *name)
{
	struct kld_file_stat stat = { .version = sizeof(stat) };
	long id = sys(SYS_KLDFIND, name), error;

	error = id < 0 ? -id : -sys(SYS_KLDSTAT, id, &stat);
	if (error != 0)
		return (error);
	say("%s at 0x%x, %u bytes\n", name, stat.address, stat.size);
	mail(MAIL_MODULE_LOW, (uint32_t)stat.address);
	mail(MAIL_MODULE_HIGH, (uint32_t)(stat.address >> 32));
	mail(MAIL_MODULE_LENGTH, (uint32_t)stat.size);
	return (0);
}

/*
 * Runs when no other thread does, so that the processor never idles. Priority RTP_PRIO_MAX would
 * have no effect: sched_ule(4) would leave the thread in the time-sharing class.
 */
static long
spin(void)
{
	struct rtprio idle = { RTP_PRIO_IDLE, RTP_PRIO_MIN };
	long error = -sys(SYS_RTPRIO, RTP_SET, 0, &idle);

	while (error == 0)
		__asm volatile("");
	return (error);
}

static long
rounds(uint64_t n, const char *file, const char *name)
{
	uint64_t i;
	long error;

	for (i = 0; i < n; i++) {
		error = kld_load(file);
		if (error != 0) {
			say("load %u: errno %d\n", i, error);
			return (error);
		}
		error = kld_unload(name, LINKER_UNLOAD_NORMAL);
		if (error != 0) {
			say("unload %u: errno %d\n", i, error);
			return (error);
		}
	}
	return (0);
}

/* A count that grows by at least one for every four rounds, in both halves, is a leak. */
static long
reload(uint64_t n, const char *file, const char *name)
{
	struct usage *before, *between;
	long error;

	/* The first rounds fill caches that the kernel never empties. */
	if ((error = rounds(2, file, name)) != 0)
		return (error);
	before = usage_now();
	if ((error = rounds(n / 2, file, name)) != 0)
		return (error);
	between = usage_now();
	if ((error = rounds(n - n / 2, file, name)) != 0)
		return (error);
	error = usage_compare(before, between, usage_now(), (int64_t)n / 4);
	say("loaded and unloaded %u times\n", n);
	return (error);
}

static long
leaks(const char *first, const char *second)
{
	struct usage *before, *between;
	long error;

	if ((error = usage_load(&before, first)) != 0 ||
	    (error = usage_load(&between, second)) != 0)
		return (error);
	return (usage_compare(before, between, usage_now(), 1));
}

int
main(int argc, char **argv, char **env)
{
	const char *word = argc > 1 ? argv[1] : "", *name = argc > 2 ? argv[2] : "";
	long error = EINVAL;
	int value;

	(void)env;
	if (strcmp(word, "kenv") == 0) {
		say("%s\n", kernel_env(name));
		return (0);
	} else if (strcmp(word, "load") == 0) {
		error = kld_load(name);
	} else if (strcmp(word, "unload") == 0) {
		error = kld_unload(name, argc > 3 ? LINKER_UNLOAD_FORCE : LINKER_UNLOAD_NORMAL);
	} else if (strcmp(word, "loaded") == 0) {
		return (sys(SYS_KLDFIND, name) < 0);
	} else if (strcmp(word, "sysctl") == 0) {
		error = sysctl_show(name);
	} else if (strcmp(word, "set") == 0 && argc > 3) {
		value = (int)number_of(argv[3]);
		error = -sys(SYS_SYSCTLBYNAME, name, strlen(name), NULL, NULL, &value,
		    sizeof(value));
	} else if (strcmp(word, "suspend") == 0) {
		error = devctl(DEV_SUSPEND, name);
	} else if (strcmp(word, "resume") == 0) {
		error = devctl(DEV_RESUME, name);
	} else if (strcmp(word, "detach") == 0) {
		error = devctl(DEV_DETACH, name);
	} else if (strcmp(word, "attach") == 0) {
		error = devctl(DEV_ATTACH, name);
	} else if (strcmp(word, "module") == 0) {
		error = module(name);
	} else if (strcmp(word, "spin") == 0) {
		error = spin();
	} else if (strcmp(word, "mark") == 0) {
		mail(MAIL_MARK, (uint32_t)number_of(name));
		return (0);
	} else if (strcmp(word, "usage") == 0) {
		error = usage_save(usage_now(), name);
	} else if (strcmp(word, "leaks") == 0 && argc > 3) {
		error = leaks(name, argv[3]);
	} else if (strcmp(word, "reload") == 0 && argc > 4) {
		error = reload(number_of(name), argv[3], argv[4]);
	} else {
		say("vmctl: %s: unknown command, or too few arguments\n", word);
	}
	if (error != 0)
		say("vmctl %s %s: errno %d\n", word, name, error);
	return ((int)error);
}
