/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Process 1 of the guest: loads the modules that Linux programs need, mounts file systems, runs the
 * script that the kernel's environment names, reports its exit status to drmboard, and powers the
 * machine off. Its own lines begin with "guest: ".
 *
 * Kernel environment:
 *	vmtest.run=FILE		a script below /vmtest, run by busybox
 *	vmtest.limit=SECONDS	how long it may take
 *	vmtest.shutdown=1	a power-off as by shutdown(8): devices are shut down first
 */

#include "sys.h"

/* Dependencies first. */
static const char *const modules[] = {
	"pseudofs", "tmpfs", "mqueuefs", "linux_common", "linux64", "linprocfs", "fdescfs"
};

static const char *const mounts[][2] = {
	{ "tmpfs", "/tmp" }, { "linprocfs", "/proc" }, { "fdescfs", "/dev/fd" }
};

static char *environment[] = {
	"PATH=/bin:/usr/bin", "HOME=/tmp", "TMPDIR=/tmp", "EGL_LOG_LEVEL=warning",
	"MESA_SHADER_CACHE_DISABLE=true", NULL
};

/* Loads a module. A missing file is no error: the module may be built into the kernel. */
static void
load(const char *name)
{
	char path[64] = "/modules/";
	size_t at = strlen(path);
	long error;

	memcpy(path + at, name, strlen(name));
	memcpy(path + at + strlen(name), ".ko", 4);
	error = -sys(SYS_KLDLOAD, path);
	if (error > 0 && error != ENOENT && sys(SYS_KLDFIND, name) < 0)
		say("guest: %s: not loaded: errno %d\n", path, error);
}

static int
mount(const char *type, const char *at)
{
	struct iovec options[] = {
		{ "fstype", 7 }, { (void *)type, strlen(type) + 1 },
		{ "fspath", 7 }, { (void *)at, strlen(at) + 1 },
		{ "from", 5 }, { (void *)type, strlen(type) + 1 },
	};
	long error = -sys(SYS_NMOUNT, options, nitems(options), 0);

	if (error > 0)
		say("guest: %s: not mounted: errno %d\n", at, error);
	return (error > 0);
}

static long
start(char **argv)
{
	long pid = sys(SYS_FORK), error;

	if (pid != 0)
		return (pid);
	error = -sys(SYS_EXECVE, argv[0], argv, environment);
	say("guest: %s: errno %d\n", argv[0], error);
	leave(127);
}

/*
 * Waits for a process. Returns its exit status, 128 plus the signal that killed it, or 124 if the
 * time limit passed.
 */
static int
wait(long pid, uint64_t limit_s)
{
	uint64_t until = now_ns() + limit_s * 1000000000;
	int status = 0;
	long got;

	for (;;) {
		/* Reaps orphans, too. */
		got = sys(SYS_WAIT4, -1, &status, WNOHANG, NULL);
		if (got == pid || (got < 0 && pid < 0))
			break;
		if (now_ns() > until) {
			say("guest: the time limit has passed\n");
			sys(SYS_KILL, -1, SIGKILL);
			return (124);
		}
		if (got == 0)
			sleep_ms(20);
	}
	if (pid < 0)
		return (127);
	return ((status & 0x7f) != 0 ? 128 + (status & 0x7f) : (status >> 8) & 0xff);
}

static int
run(void)
{
	char script[128] = "/vmtest/";
	char *argv[] = { "/bin/busybox", "sh", script, NULL };
	const char *name;
	uint64_t limit;
	size_t i;

	for (i = 0; i < nitems(modules); i++)
		load(modules[i]);
	for (i = 0; i < nitems(mounts); i++) {
		if (mount(mounts[i][0], mounts[i][1]))
			return (1);
	}
	limit = number_of(kernel_env("vmtest.limit"));
	name = kernel_env("vmtest.run");
	if (strlen(name) == 0) {
		say("guest: vmtest.run is not set in the kernel's environment\n");
		return (1);
	}
	memcpy(script + strlen(script), name, strlen(name) < 64 ? strlen(name) : 64);
	return (wait(start(argv), limit == 0 ? 120 : limit));
}

int
main(int argc, char **argv, char **env)
{
	static const char delay[] = "kern.shutdown.poweroff_delay";
	long console = sys(SYS_OPEN, "/dev/console", O_RDWR, 0), error;
	int status, fd, none = 0, how = RB_POWEROFF;

	(void)argc;
	(void)argv;
	(void)env;
	for (fd = 0; fd < 3; fd++) {
		if (console != fd)
			sys(SYS_DUP2, console, fd);
	}
	say("guest: up\n");
	status = run();
	say("guest: end %d\n", (long)status);
	/* What the console's buffer still has would be lost, or cut by messages of the shutdown. */
	error = -sys(SYS_IOCTL, 1, TIOCDRAIN, 0);
	if (error > 0)
		say("guest: console not drained: errno %d\n", error);
	mail(MAIL_EXIT, (uint32_t)status);
	/*
	 * By default the kernel spends five seconds in DELAY(9) for disks to write their caches;
	 * the guest's disk is read-only.
	 */
	sys(SYS_SYSCTLBYNAME, delay, sizeof(delay) - 1, NULL, NULL, &none, sizeof(none));
	if (number_of(kernel_env("vmtest.shutdown")) == 0)
		how |= RB_NOSYNC;
	sys(SYS_REBOOT, how);
	say("guest: power-off failed\n");
	for (;;)
		sleep_ms(1000);
}
