/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * FreeBSD/arm64 without a libc: the system calls and structures that the programs in this
 * directory use, and a few helpers.  A system call returns its result, or the negated errno.
 */

#ifndef TESTS_VM_SYS_H
#define TESTS_VM_SYS_H

typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long int64_t;
typedef unsigned long uint64_t;
typedef unsigned long size_t;
typedef unsigned long uintptr_t;

#define NULL	((void *)0)
#define nitems(x)	(sizeof(x) / sizeof((x)[0]))

/* sys/syscall.h */
#define SYS_EXIT	1
#define SYS_FORK	2
#define SYS_READ	3
#define SYS_WRITE	4
#define SYS_OPEN	5
#define SYS_CLOSE	6
#define SYS_WAIT4	7
#define SYS_UNLINK	10
#define SYS_CHDIR	12
#define SYS_GETPID	20
#define SYS_PTRACE	26
#define SYS_RECVMSG	27
#define SYS_SENDMSG	28
#define SYS_KILL	37
#define SYS_GETPPID	39
#define SYS_IOCTL	54
#define SYS_REBOOT	55
#define SYS_EXECVE	59
#define SYS_MSYNC	65
#define SYS_MUNMAP	73
#define SYS_MPROTECT	74
#define SYS_MADVISE	75
#define SYS_MINCORE	78
#define SYS_SETITIMER	83
#define SYS_DUP2	90
#define SYS_FCNTL	92
#define SYS_SOCKETPAIR	135
#define SYS_RTPRIO	166
#define SYS_SYSCTL	202
#define SYS_MLOCK	203
#define SYS_MUNLOCK	204
#define SYS_POLL	209
#define SYS_CLOCK_GETTIME	232
#define SYS_NANOSLEEP	240
#define SYS_MINHERIT	250
#define SYS_KLDLOAD	304
#define SYS_KLDFIND	306
#define SYS_KLDSTAT	308
#define SYS_MLOCKALL	324
#define SYS_MUNLOCKALL	325
#define SYS_KQUEUE	362
#define SYS_NMOUNT	378
#define SYS_KENV	390
#define SYS_SIGACTION	416
#define SYS_KLDUNLOADF	444
#define SYS_MMAP	477
#define SYS_LSEEK	478
#define SYS_RCTL_GET_RACCT	525
#define SYS_RCTL_ADD_RULE	528
#define SYS_RCTL_REMOVE_RULE	529
#define SYS_PIPE2	542
#define SYS_KEVENT	560
#define SYS_SYSCTLBYNAME	570

/* sys/errno.h; the numbers above 34 differ from those of Linux. */
#define ENOENT	2
#define EINTR	4
#define ENXIO	6
#define EBADF	9
#define ENOMEM	12
#define EACCES	13
#define EFAULT	14
#define EBUSY	16
#define ENODEV	19
#define EINVAL	22
#define ENOTTY	25
#define EOPNOTSUPP	45
#define ETIMEDOUT	60
#define ENOSYS	78

/* sys/socket.h */
#define PF_UNIX	1
#define SOCK_STREAM	1
#define SOL_SOCKET	0xffff
#define SCM_RIGHTS	1

#define O_RDONLY	0x0000
#define O_RDWR	0x0002
#define O_CREAT	0x0200
#define O_TRUNC	0x0400
#define O_CLOEXEC	0x00100000

#define PROT_READ	1
#define PROT_WRITE	2
#define PROT_EXEC	4
#define MAP_SHARED	0x0001
#define MAP_PRIVATE	0x0002
#define MAP_ANON	0x1000

#define SIGABRT	6
#define SIGKILL	9
#define SIGBUS	10
#define WNOHANG	1
#define CLOCK_MONOTONIC	4
#define POLLIN	0x0001

#define RB_NOSYNC	0x0004
#define RB_POWEROFF	0x4000

#define KENV_GET	0
#define LINKER_UNLOAD_NORMAL	0
#define LINKER_UNLOAD_FORCE	1

/* sys/rtprio.h */
#define RTP_SET		1
#define RTP_PRIO_IDLE	4
#define RTP_PRIO_MIN	0

struct rtprio {
	uint16_t type;
	uint16_t prio;
};

/* sys/linker.h: the result of kldstat(2); `version` holds the size of the structure. */
struct kld_file_stat {
	int version;
	char name[1024];
	int refs;
	int id;
	uint64_t address;
	size_t size;
	char pathname[1024];
};

/* sys/bus.h */
struct devreq {
	char name[128];
	int flags;
	void *data[2];
};
#define DEVCTL(nr)	IOW('D', nr, struct devreq)
#define DEV_ATTACH	DEVCTL(1)
#define DEV_DETACH	DEVCTL(2)
#define DEV_SUSPEND	DEVCTL(5)
#define DEV_RESUME	DEVCTL(6)

/* sys/ttycom.h */
#define TIOCDRAIN	IO('t', 94)

/*
 * sys/ioccom.h: the bits for IN and OUT are swapped with respect to Linux, and a request without an
 * argument has a bit of its own.
 */
#define IOC_VOID	0x20000000ul
#define IOC_OUT	0x40000000ul
#define IOC_IN	0x80000000ul
#define IOC(dir, group, nr, size)	\
	((dir) | ((size) & 0x1ffful) << 16 | (uint64_t)(group) << 8 | (nr))
#define IO(group, nr)	IOC(IOC_VOID, group, nr, 0)
#define IOW(group, nr, type)	IOC(IOC_IN, group, nr, sizeof(type))
#define IOR(group, nr, type)	IOC(IOC_OUT, group, nr, sizeof(type))
#define IOWR(group, nr, type)	IOC(IOC_IN | IOC_OUT, group, nr, sizeof(type))

struct iovec {
	void *base;
	size_t len;
};

struct timespec {
	int64_t sec;
	int64_t nsec;
};

struct pollfd {
	int fd;
	uint16_t events;
	uint16_t revents;
};

struct msghdr {
	void *name;
	uint32_t name_len;
	struct iovec *iov;
	int iov_len;
	void *control;
	uint32_t control_len;
	int flags;
};

/* start.c */
/* Makes a system call with up to six arguments, each of 64 bits. */
long sys(long number, ...);
[[noreturn]] void leave(int status);
int main(int argc, char **argv, char **env);

/* text.c */
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
/* Parses a decimal number, or a hexadecimal one after 0x, up to the first other character. */
uint64_t number_of(const char *s);
/* Writes to standard output.  Supports %s, %d, %u and %x; the last three take a long. */
void say(const char *format, ...);

/* system.c */
/* Allocates zeroed anonymous memory that is never freed. */
void *memory(size_t bytes);
/* The time of CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);
void sleep_ms(uint64_t ms);
/* Reads a sysctl of type int. */
long sysctl_int(const char *name);
/* Makes a request of devctl(4) for a device such as "panfrost0".  Returns an errno, or 0. */
long devctl(uint64_t request, const char *name);
/* Returns a variable of the kernel's environment, or "" if it is not set. */
const char *kernel_env(const char *name);
/*
 * Writes a register of the mailbox of drmboard's machine: a mark in the register trace, the exit
 * status of drmboard, and address and length of the module whose instructions --count counts.
 */
void mail(uint32_t offset, uint32_t value);
#define MAIL_MARK	0
#define MAIL_EXIT	4
#define MAIL_MODULE_LOW		8
#define MAIL_MODULE_HIGH	12
#define MAIL_MODULE_LENGTH	16

#endif
