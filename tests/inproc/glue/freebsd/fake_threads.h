/* SPDX-License-Identifier: BSD-2-Clause */
/* The interface of fake_threads.c for tests. */
struct fake_threads_counts {
	/* Threads that sleep, and those of them that have a timer of their own. */
	uint64_t asleep, timed;
	/* Sleeps so far. */
	uint64_t sleeps;
	/* When the callout fires; 0 if it is not armed. */
	uint64_t armed;
	/* How often it was armed. */
	uint64_t resets;
	/* The first time that a thread sleeps until. */
	uint64_t first;
	/* The bytes that the system has reserved. */
	uint64_t swap;
};
struct fake_threads_counts fake_threads_counts(void);

/* Sets a function that is called at the places that threads.h lists. */
void	fake_on_step(void (*fn)(int));
void	fake_interrupt(void);
uint64_t fake_clock(uint64_t to);
bool	fake_tick(void);
void	fake_kernel_process(bool is);
void	fake_swap_limit(uint64_t bytes);
struct drm_os_minor *fake_minor(void);
void	fake_purge(struct drm_os_minor *minor);
void	fake_minor_free(struct drm_os_minor *minor);
struct drm_os_caller *fake_threads_caller(struct drm_os_minor *minor);
void	fake_threads_caller_free(struct drm_os_caller *caller);
