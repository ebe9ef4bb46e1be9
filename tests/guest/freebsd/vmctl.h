/* SPDX-License-Identifier: BSD-2-Clause */

#ifndef TESTS_VM_VMCTL_H
#define TESTS_VM_VMCTL_H

/*
 * sysctl.c: prints a sysctl and all below it, one per line, as sysctl(8) does.  Returns an errno,
 * or 0.
 */
long sysctl_show(const char *name);

/* usage.c: what the kernel has allocated. */
struct usage;
struct usage *usage_now(void);
/* Prints every entry that has grown. */
void usage_growth(const struct usage *before, const struct usage *after);
/* Writes to a file and reads it back.  Each returns an errno, or 0. */
long usage_save(const struct usage *usage, const char *file);
long usage_load(struct usage **usage, const char *file);
/*
 * Prints what changed.  Returns EBUSY if a count grew by `least` or more both from `before` to
 * `between` and from `between` to `after`, else 0.
 */
long usage_compare(const struct usage *before, const struct usage *between,
    const struct usage *after, int64_t least);

/* All types and zones together. */
struct usage_sum {
	/* The driver's: of its malloc(9) type and its zones. */
	int64_t drm_blocks;
	int64_t drm_bytes;
	/* All malloc(9) types; all zones, the part that is in use. */
	int64_t malloc_bytes;
	int64_t uma_bytes;
	/* All wired pages, those of the zones' slabs included. */
	int64_t wired_pages;
};
void usage_sum(struct usage_sum *sum);

#endif
