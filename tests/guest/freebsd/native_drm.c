/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A FreeBSD client of the render node.
 *
 *	native_drm			the requests in FreeBSD's encoding, and a job
 *	native_drm beside		the same, while other programs create buffers
 *	native_drm pixels FD STRIDE WIDTH HEIGHT PIXEL
 *					checks that each pixel of an inherited dma-buf is PIXEL
 *	native_drm hold			has a buffer mapped until the driver is unloaded
 *	native_drm busy			submits jobs, without end
 *	native_drm vm			the VM system's operations on pages of buffers
 *	native_drm locked		has a buffer locked in memory until the driver is unloaded
 *	native_drm churn		creates and closes files of all kinds until the driver is
 *					unloaded
 *	native_drm inflight		files in flight between sockets that are closed
 *	native_drm latency SUBMITS ROUNDS
 *					how long a job takes while other clients load the driver
 *	native_drm million SUBMITS	that many jobs in tenths, and after each what the kernel
 *					has allocated
 *	native_drm signals COUNT	requests of all kinds, until COUNT signals have arrived
 *					during them
 */

#include "drm.h"

int failures;

static const struct native_driver *const drivers[] = { &panfrost, &etnaviv };

void
expect(const char *what, long found, long wanted)
{
	if (found == wanted)
		return;
	say("wrong: %s: %d, expected %d\n", what, found, wanted);
	failures++;
}

long
must(const char *what, long result)
{
	if (result < 0) {
		say("wrong: %s: errno %d\n", what, -result);
		leave((int)-result);
	}
	return (result);
}

long
drm(int fd, uint64_t request, void *argument)
{
	return (sys(SYS_IOCTL, (long)fd, request, argument));
}

uint64_t
statistic(const struct native_driver *driver, const char *name)
{
	char path[64] = "dev.";
	uint64_t value = 0;
	size_t len = sizeof(value);

	memcpy(path + strlen(path), driver->name, strlen(driver->name));
	memcpy(path + strlen(path), ".0.", 3);
	memcpy(path + strlen(path), name, strlen(name));
	must(path, sys(SYS_SYSCTLBYNAME, path, strlen(path), &value, &len, NULL, 0l));
	return (value);
}

void *
map(int fd, uint64_t offset, size_t size, int prot)
{
	long at = sys(SYS_MMAP, NULL, size, (long)prot, MAP_SHARED, (long)fd, offset);

	return ((void *)must("mmap", at));
}

void
wait_sync_file(int fd)
{
	struct kevent got, event = { .ident = (uintptr_t)fd, .filter = EVFILT_READ,
	    .flags = EV_ADD };
	struct pollfd poll = { fd, POLLIN, 0 };
	struct timespec limit = { 10, 0 };
	struct sync_file_info info;
	long queue = must("kqueue", sys(SYS_KQUEUE));

	expect("events of a sync_file", sys(SYS_KEVENT, queue, &event, 1l, &got, 1l, &limit), 1);
	expect("descriptor of the event", (long)got.ident, fd);
	expect("poll of a sync_file", sys(SYS_POLL, &poll, 1l, 0l), 1);
	memset(&info, 0, sizeof(info));
	must("SYNC_IOC_FILE_INFO", drm(fd, SYNC_IOC_FILE_INFO, &info));
	expect("status of a sync_file", info.status, 1);
	expect("fences of a sync_file", info.num_fences, 1);
	sys(SYS_CLOSE, queue);
	sys(SYS_CLOSE, (long)fd);
}

static const struct native_driver *
driver_of(int fd)
{
	static char name[32], date[32], desc[64];
	struct drm_version version = { .name_len = sizeof(name) - 1, .name = name,
	    .date_len = sizeof(date) - 1, .date = date, .desc_len = sizeof(desc) - 1,
	    .desc = desc };
	size_t i;

	must("VERSION", drm(fd, VERSION, &version));
	expect("length of the name", (long)version.name_len, (long)strlen(name));
	for (i = 0; i < nitems(drivers); i++) {
		if (strcmp(drivers[i]->name, name) == 0) {
			say("driver: %s %d.%d: %s\n", name, (long)version.major,
			    (long)version.minor, desc);
			return (drivers[i]);
		}
	}
	say("wrong: unknown driver: %s\n", name);
	leave(1);
}

/* Unknown requests and bad arguments. */
static void
refused(int fd)
{
	uint64_t word[64];

	memset(word, 0, sizeof(word));
	expect("an unknown request", drm(fd, IOWR('d', 0x9f, uint64_t), word), -EINVAL);
	expect("a request of another group", drm(fd, IOWR('x', 1, uint64_t), word), -ENOTTY);
	expect("a request for primary nodes only", drm(fd, SET_MASTER, NULL), -EACCES);
	expect("a bad address", drm(fd, GET_CAP, (void *)8), -EFAULT);
	expect("GEM_CLOSE of a missing handle", drm(fd, GEM_CLOSE, word), -EINVAL);
	word[0] = 0x7fffffff;
	expect("GET_CAP of an unknown capability", drm(fd, GET_CAP, word), -EOPNOTSUPP);
	expect("mmap of an offset without a buffer",
	    sys(SYS_MMAP, NULL, 4096l, PROT_READ, MAP_SHARED, (long)fd, 1ul << 40), -EINVAL);
	expect("a bad descriptor", drm(-1, GET_CAP, word), -EBADF);
}

static void
idle(int fd)
{
	struct pollfd poll = { fd, POLLIN, 0 };

	expect("poll of an idle node", sys(SYS_POLL, &poll, 1l, 0l), 0);
}

/* PRIME export and import of a buffer; both mappings show the same memory. */
static void
prime(int fd, const struct native_driver *driver, uint32_t handle)
{
	static const uint32_t flags[] = { O_RDWR, O_RDWR | O_CLOEXEC };
	struct drm_prime_handle out, in;
	volatile uint32_t *a, *b;
	size_t i;

	for (i = 0; i < nitems(flags); i++) {
		out = (struct drm_prime_handle) { .handle = handle, .flags = flags[i] };
		must("PRIME_HANDLE_TO_FD", drm(fd, PRIME_HANDLE_TO_FD, &out));
		in = (struct drm_prime_handle) { .fd = out.fd };
		must("PRIME_FD_TO_HANDLE", drm(fd, PRIME_FD_TO_HANDLE, &in));
		expect("handle after export and import", in.handle, handle);
		a = map(out.fd, 0, 4096, PROT_READ | PROT_WRITE);
		b = map(fd, driver->offset(fd, handle), 4096, PROT_READ | PROT_WRITE);
		a[5] = 0x600df00d + (uint32_t)i;
		expect("one buffer in two mappings", b[5], 0x600df00d + (long)i);
		sys(SYS_MUNMAP, a, 4096l);
		sys(SYS_MUNMAP, b, 4096l);
		sys(SYS_CLOSE, (long)out.fd);
	}
}

static uint64_t
swap_reserved(void)
{
	static const char name[] = "vm.swap_reserved";
	uint64_t value = 0;
	size_t len = sizeof(value);

	must(name, sys(SYS_SYSCTLBYNAME, name, strlen(name), &value, &len, NULL, 0l));
	return (value);
}

/* A buffer is charged as anonymous memory, until it is freed. */
static void
charged(int fd, const struct native_driver *driver)
{
	const uint32_t size = 8 << 20;
	uint64_t before = swap_reserved();
	struct drm_gem_close close = { driver->create(fd, size), 0 };

	expect("swap reserved for a buffer", (long)(swap_reserved() - before), size);
	must("GEM_CLOSE", drm(fd, GEM_CLOSE, &close));
	expect("swap reserved after GEM_CLOSE", (long)(swap_reserved() - before), 0);
}

static long
wrong_pixels(const uint32_t *pixels, uint64_t stride, uint64_t width, uint64_t height,
    uint32_t pixel)
{
	uint64_t x, y;
	long wrong = 0;

	for (y = 0; y < height; y++) {
		for (x = 0; x < width; x++)
			wrong += pixels[y * stride / 4 + x] != pixel;
	}
	return (wrong);
}

/*
 * Checks a buffer that Mesa cleared in another process, and exported read-only: through a mapping
 * of the dma-buf, and through a handle of this process.
 */
static void
pixels(int node, const struct native_driver *driver, char **argv)
{
	uint64_t fd = number_of(argv[0]), stride = number_of(argv[1]);
	uint64_t width = number_of(argv[2]), height = number_of(argv[3]);
	uint32_t pixel = (uint32_t)number_of(argv[4]);
	struct drm_prime_handle in = { .fd = (int)fd };
	const uint32_t *direct = map((int)fd, 0, stride * height, PROT_READ), *own;
	long wrong;

	wrong = wrong_pixels(direct, stride, width, height, pixel);
	expect("pixels that differ in the dma-buf", wrong, 0);
	must("PRIME_FD_TO_HANDLE", drm(node, PRIME_FD_TO_HANDLE, &in));
	own = map(node, driver->offset(node, in.handle), stride * height, PROT_READ);
	wrong = wrong_pixels(own, stride, width, height, pixel);
	expect("pixels that differ in the buffer", wrong, 0);
	say("pixels %ux%u: #%x\n", width, height, (uint64_t)pixel);
}

void
any_buffer(int fd, uint32_t handle)
{
	struct drm_gem_close close = { handle, 0 };

	prime(fd, driver_of(fd), handle);
	must("GEM_CLOSE", drm(fd, GEM_CLOSE, &close));
	expect("GEM_CLOSE again", drm(fd, GEM_CLOSE, &close), -EINVAL);
}

long
reader(const volatile uint32_t *at)
{
	long pid = must("fork", sys(SYS_FORK));
	int status = -1;

	if (pid == 0)
		leave((int)(*at & 1));
	must("wait4", sys(SYS_WAIT4, pid, &status, 0l, NULL));
	return (status);
}

int
main(int argc, char **argv, char **env)
{
	struct drm_cap cap = { CAP_PRIME, 0 };
	const struct native_driver *driver;
	int fd;

	(void)env;
	fd = (int)must("open " RENDER_NODE, sys(SYS_OPEN, RENDER_NODE, O_RDWR | O_CLOEXEC, 0l));
	driver = driver_of(fd);
	if (argc == 7 && strcmp(argv[1], "pixels") == 0) {
		pixels(fd, driver, argv + 2);
	} else if (argc == 2 && strcmp(argv[1], "hold") == 0) {
		hold(fd, driver);
	} else if (argc == 2 && strcmp(argv[1], "busy") == 0) {
		busy(fd, driver);
	} else if (argc == 2 && strcmp(argv[1], "vm") == 0) {
		vm_interfaces(fd, driver);
	} else if (argc == 2 && strcmp(argv[1], "locked") == 0) {
		vm_locked(fd, driver);
	} else if (argc == 2 && strcmp(argv[1], "churn") == 0) {
		churn(fd, driver);
	} else if (argc == 2 && strcmp(argv[1], "inflight") == 0) {
		inflight(fd, driver);
	} else if (argc == 3 && strcmp(argv[1], "million") == 0) {
		million(fd, driver, number_of(argv[2]));
	} else if (argc == 3 && strcmp(argv[1], "signals") == 0) {
		signals(fd, driver, number_of(argv[2]));
	} else if (argc == 4 && strcmp(argv[1], "latency") == 0) {
		latency(fd, driver, number_of(argv[2]), number_of(argv[3]));
	} else {
		must("GET_CAP", drm(fd, GET_CAP, &cap));
		expect("CAP_PRIME: import and export", (long)cap.value, 3);
		refused(fd);
		idle(fd);
		/* With `beside` other programs change vm.swap_reserved, too. */
		if (argc == 1)
			charged(fd, driver);
		driver->test(fd);
		sys(SYS_CLOSE, (long)fd);
	}
	say("native %s %s\n", driver->name, failures == 0 ? "ok" : "failed");
	return (failures != 0);
}
