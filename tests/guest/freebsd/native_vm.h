/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The buffers of the tests of the VM system's operations (native_vm*.c), each with a mapping.
 */

#ifndef NATIVE_VM_H
#define NATIVE_VM_H

#include "drm.h"

#define PAGES	64ul
#define SIZE	(PAGES * 4096)
#define WORD	0x5ca1ab1eu

/* native_vm.c */
/* The node, and its driver. */
extern int node;
extern const struct native_driver *driver;

struct buffer {
	uint32_t handle;
	volatile uint32_t *words;
};

/* Creates and maps a buffer, and sets a word of each page. */
struct buffer buffer(void);
/* A word of a page, which buffer() sets. */
volatile uint32_t *word_of(struct buffer *b, uint64_t page);
/* Returns the number of these words that are changed. */
long wrong_words(struct buffer *b);
/* Unmaps and closes a buffer. */
void done(struct buffer *b);
/* Allows the driver to purge a buffer, has memory run low, and returns whether it was purged. */
int purge(struct buffer *b);
/* Expects that a buffer can be purged, and closes it. */
void expect_purged(const char *what, struct buffer *b);
/* Waits for a child and expects its status. */
void expect_status(const char *what, long pid, long wanted);

/* native_vm_lock.c: pages that are locked, or copied on write. */
void locked(void);
void locked_in_future(void);
void locked_by_child(void);
void locking(void);
void copied(void);

/* native_vm_access.c: other accesses to pages. */
void traced(void);
void filled_by_sysctl(void);
void in_a_pipe(void);
void from_a_disk(void);
void advised(void);
void dumped(void);
void executed(void);
void userptr(void);

/* native_vm_limits.c: limits of wired pages and of swap. */
void wired(void);
void accounted(void);

#endif
