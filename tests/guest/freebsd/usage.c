/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the kernel has allocated, by malloc(9) type and uma(9) zone, from the sysctls that vmstat -m
 * and vmstat -z read. Both have the same form: a header with the number of records and of
 * processors, then for each record a name and one set of figures per processor. The structures are
 * those of sys/malloc.h and vm/uma.h.
 */

#include "sys.h"
#include "vmctl.h"

#define ENTRIES	1024
#define NAME	32

struct entry {
	char name[NAME];
	/* 'm': a malloc type, 'z': a zone, 's': a sysctl */
	uint64_t kind;
	int64_t live;
	int64_t bytes;
};

struct usage {
	uint64_t n;
	struct entry entries[ENTRIES];
};

/* The header of both. */
struct stream {
	uint32_t version;
	uint32_t processors;
	uint32_t records;
	uint32_t pad;
};

struct malloc_figures {
	uint64_t bytes_allocated;
	uint64_t bytes_freed;
	uint64_t allocations;
	uint64_t frees;
	uint64_t unused[4];
};

struct zone {
	char name[NAME];
	uint32_t align, size, real_size, max_pages, limit, pages, keg_free, zone_free;
	uint32_t bucket, flags;
	uint64_t allocations, frees, fails, sleeps, cross_domain, unused;
};

struct zone_figures {
	uint64_t allocations;
	uint64_t frees;
	uint64_t cached;
	uint64_t unused[5];
};

/* The zone's pages belong to another zone. */
#define ZONE_SECONDARY	0x1

/* Enough for 1,000 malloc types, each with figures of 1,024 processors: 64 KiB. */
#define STREAM_BYTES	(64ul << 20)
static char *stream;

static const struct stream *
read_stream(const char *name)
{
	/* The kernel wires as much of the buffer as it may fill. */
	static size_t room = 256ul << 10;
	size_t len;
	long error;

	if (stream == NULL)
		stream = memory(STREAM_BYTES);
	for (;;) {
		len = room;
		error = -sys(SYS_SYSCTLBYNAME, name, strlen(name), stream, &len, NULL, 0l);
		if (error != ENOMEM || room == STREAM_BYTES)
			break;
		room *= 2;
	}
	if (error > 0 || ((struct stream *)stream)->version != 1) {
		say("%s: errno %d, version %u\n", name, error,
		    (uint64_t)((struct stream *)stream)->version);
		leave(1);
	}
	return ((struct stream *)stream);
}

/* Adds to an entry. Several types may have the same name: their figures are summed. */
static void
add(struct usage *usage, uint64_t kind, const char *name, int64_t live, int64_t bytes)
{
	struct entry *entry = usage->entries, *end = usage->entries + usage->n;

	while (entry < end && (entry->kind != kind || strncmp(entry->name, name, NAME) != 0))
		entry++;
	if (entry == usage->entries + ENTRIES) {
		say("more than %u types and zones\n", (uint64_t)ENTRIES);
		leave(1);
	}
	if (entry == end) {
		memcpy(entry->name, name, NAME);
		entry->kind = kind;
		entry->live = entry->bytes = 0;
		usage->n++;
	}
	entry->live += live;
	entry->bytes += bytes;
}

static void
add_types(struct usage *usage)
{
	const struct stream *head = read_stream("kern.malloc_stats");
	const char *at = (const char *)(head + 1), *name;
	const struct malloc_figures *figures;
	int64_t live, bytes;
	uint32_t i, cpu;

	for (i = 0; i < head->records; i++) {
		name = at;
		figures = (const struct malloc_figures *)(at + NAME);
		live = bytes = 0;
		for (cpu = 0; cpu < head->processors; cpu++, figures++) {
			live += (int64_t)(figures->allocations - figures->frees);
			bytes += (int64_t)(figures->bytes_allocated - figures->bytes_freed);
		}
		add(usage, 'm', name, live, bytes);
		at = (const char *)figures;
	}
}

/*
 * Returns the number of wired pages that are not counted as a leak: those of the zones' slabs, and
 * those of cached kernel stacks. Each processor caches a varying number of both; items in use are
 * counted by zone and type.
 */
static int64_t
add_zones(struct usage *usage)
{
	const struct stream *head = read_stream("vm.zone_stats");
	const char *at = (const char *)(head + 1);
	const struct zone_figures *figures;
	const struct zone *zone;
	int64_t live, pages = 0, cached;
	uint32_t i, cpu;

	for (i = 0; i < head->records; i++) {
		zone = (const struct zone *)at;
		figures = (const struct zone_figures *)(zone + 1);
		live = (int64_t)(zone->allocations - zone->frees);
		cached = zone->zone_free;
		for (cpu = 0; cpu < head->processors; cpu++, figures++) {
			live += (int64_t)(figures->allocations - figures->frees);
			cached += (int64_t)figures->cached;
		}
		add(usage, 'z', zone->name, live, live * zone->size);
		if ((zone->flags & ZONE_SECONDARY) == 0)
			pages += zone->pages;
		if (strncmp(zone->name, "kstack_cache", NAME) == 0)
			pages += cached * sysctl_int("kern.kstack_pages");
		at = (const char *)figures;
	}
	return (pages);
}

static void
add_count(struct usage *usage, const char *name, int64_t value)
{
	char padded[NAME] = { 0 };

	memcpy(padded, name, strlen(name));
	add(usage, 's', padded, value, 0);
}

static void
read_usage(struct usage *usage)
{
	int64_t pages;

	usage->n = 0;
	/*
	 * devfs(4) frees deleted nodes at the next lookup, and the first read_stream() allocates
	 * the buffer: both must precede the count.
	 */
	sys(SYS_CLOSE, sys(SYS_OPEN, "/dev/null", O_RDONLY, 0));
	read_stream("vm.zone_stats");
	add_types(usage);
	pages = add_zones(usage);
	add_count(usage, "kern.openfiles", sysctl_int("kern.openfiles"));
	add_count(usage, "wired pages but uma's", sysctl_int("vm.stats.vm.v_wire_count") - pages);
}

struct usage *
usage_now(void)
{
	struct usage *usage = memory(sizeof(*usage));

	read_usage(usage);
	return (usage);
}

/* Memory of the driver: type "drm" (M_DRM), and the zones of its small blocks, "drm SIZE". */
static int
is_drm(const struct entry *entry)
{
	return (entry->kind == 'm' ? strncmp(entry->name, "drm", NAME) == 0 :
	    strncmp(entry->name, "drm ", 4) == 0);
}

void
usage_sum(struct usage_sum *sum)
{
	/* The same memory each time, so that this process does not grow. */
	static struct usage now;
	const struct entry *entry;

	read_usage(&now);
	memset(sum, 0, sizeof(*sum));
	for (entry = now.entries; entry < now.entries + now.n; entry++) {
		if (entry->kind == 's')
			continue;
		*(entry->kind == 'm' ? &sum->malloc_bytes : &sum->uma_bytes) += entry->bytes;
		if (is_drm(entry)) {
			sum->drm_blocks += entry->live;
			sum->drm_bytes += entry->bytes;
		}
	}
	sum->wired_pages = sysctl_int("vm.stats.vm.v_wire_count");
}

long
usage_save(const struct usage *usage, const char *file)
{
	long fd = sys(SYS_OPEN, file, O_RDWR | O_CREAT | O_TRUNC, 0600), done;

	if (fd < 0)
		return (-fd);
	done = sys(SYS_WRITE, fd, usage, sizeof(*usage));
	sys(SYS_CLOSE, fd);
	return (done < 0 ? -done : 0);
}

long
usage_load(struct usage **usage, const char *file)
{
	long fd = sys(SYS_OPEN, file, O_RDONLY, 0), done;

	if (fd < 0)
		return (-fd);
	*usage = memory(sizeof(**usage));
	done = sys(SYS_READ, fd, *usage, sizeof(**usage));
	sys(SYS_CLOSE, fd);
	return (done < 0 ? -done : 0);
}

static const char *
kind_name(const struct entry *entry)
{
	return (entry->kind == 'm' ? "type" : entry->kind == 'z' ? "zone" : "count");
}

/* Returns by how many allocations an entry has grown, and stores by how many bytes. */
static int64_t
growth(const struct usage *before, const struct entry *new, int64_t *bytes)
{
	const struct entry *old;

	for (old = before->entries; old < before->entries + before->n; old++) {
		if (old->kind == new->kind && strncmp(old->name, new->name, NAME) == 0) {
			*bytes = new->bytes - old->bytes;
			return (new->live - old->live);
		}
	}
	*bytes = new->bytes;
	return (new->live);
}

void
usage_growth(const struct usage *before, const struct usage *after)
{
	const struct entry *new;
	int64_t live, bytes;

	for (new = after->entries; new < after->entries + after->n; new++) {
		live = growth(before, new, &bytes);
		if (live > 0 || bytes > 0)
			say("usage: %s %s grew by %d allocations, %d bytes\n", kind_name(new),
			    new->name, live, bytes);
	}
}

/*
 * Whether a count is not compared, because the kernel caches an unbounded number of these: free
 * pages, empty buckets, the radix trees of cached files' pages, and what thread_init() allocates
 * for each struct thread, cached ones included. The zones that back malloc(9) are counted by type.
 * Of type "linux", the Linux emulation leaks an allocation when a program with several threads
 * calls execve(2).
 */
static int
is_cache(const char *name)
{
	static const char *const caches[] = {
		"vm pgcache", "buf free cache", "BUF TRIE", "RADIX NODE", "UMA Slabs 0",
		"S VFS Cache", "2 Bucket", "4 Bucket", "6 Bucket", "8 Bucket", "12 Bucket",
		"16 Bucket", "32 Bucket", "64 Bucket", "128 Bucket", "256 Bucket", "vmem btag",
		"isofs_node", "linux", "umtx", "TURNSTILE", "SLEEPQUEUE"
	};
	size_t i;

	if (strncmp(name, "malloc-", 7) == 0)
		return (1);
	for (i = 0; i < nitems(caches); i++) {
		if (strncmp(name, caches[i], NAME) == 0)
			return (1);
	}
	return (0);
}

/*
 * Whether an entry counts something that each thread has: a processor keeps the last thread that
 * exited on it until the next one does.
 */
static int
is_of_threads(const char *name)
{
	static const char *const names[] = { "THREAD", "kstack_cache", "ksiginfo", "kdtrace" };
	size_t i;

	for (i = 0; i < nitems(names); i++) {
		if (strncmp(name, names[i], NAME) == 0)
			return (1);
	}
	return (0);
}

long
usage_compare(const struct usage *before, const struct usage *between,
    const struct usage *after, int64_t least)
{
	const struct entry *new;
	int64_t live, bytes, again, again_bytes, floor;
	long error = 0, processors = sysctl_int("hw.ncpu");

	for (new = between->entries; new < between->entries + between->n; new++) {
		live = growth(before, new, &bytes);
		again = -growth(after, new, &again_bytes);
		if (live == 0 && again == 0)
			continue;
		say("usage: %s %s: %d and %d allocations, %d and %d bytes\n",
		    kind_name(new), new->name, live, again, bytes, -again_bytes);
		/* The number of wired pages varies by tens: slabs, page tables. */
		floor = new->kind == 's' && least < 32 ? 32 : least;
		if (is_of_threads(new->name) && live + again <= processors)
			continue;
		if (live >= floor && again >= floor && !is_cache(new->name)) {
			say("leak: %s\n", new->name);
			error = EBUSY;
		}
	}
	return (error);
}
