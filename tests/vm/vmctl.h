/* SPDX-License-Identifier: BSD-2-Clause */

#ifndef TESTS_VM_VMCTL_H
#define TESTS_VM_VMCTL_H

/* sysctl.c: an errno, or 0. */
long sysctl_show(const char *name);

/* usage.c: how much of what the kernel has allocated. */
struct usage;
struct usage *usage_now(void);
/* Into a file, and back; an errno, or 0. */
long usage_save(const struct usage *usage, const char *file);
long usage_load(struct usage **usage, const char *file);
/* Says what has become more, twice, by `least` or more; EBUSY when anything has. */
long usage_compare(const struct usage *before, const struct usage *between, const struct usage *after, int64_t least);

#endif
