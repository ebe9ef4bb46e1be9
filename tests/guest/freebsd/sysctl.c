/* SPDX-License-Identifier: BSD-2-Clause */

/* Prints a subtree of sysctls, as sysctl(8) does. */

#include "sys.h"
#include "vmctl.h"

#define MAXNAME	24
/* The second number of the nodes {0, N} that describe the tree: sys/sysctl.h. */
#define QUERY_NAME	1
#define QUERY_NEXT	2
#define QUERY_OID	3
#define QUERY_FORMAT	4
#define TYPE_MASK	0xf
#define TYPE_INT	2
#define TYPE_STRING	3
#define TYPE_S64	4
#define TYPE_UINT	6
#define TYPE_LONG	7
#define TYPE_ULONG	8
#define TYPE_U64	9

static long
query(int what, const int *oid, size_t n, void *result, size_t *len)
{
	int name[2 + MAXNAME] = { 0, what };

	memcpy(name + 2, oid, n * sizeof(int));
	return (sys(SYS_SYSCTL, name, 2 + n, result, len, NULL, 0l));
}

static void
show(const int *oid, size_t n)
{
	static char name[256], value[512];
	struct {
		uint32_t kind;
		char text[60];
	} format;
	size_t len = sizeof(name) - 1, value_len = sizeof(value) - 1, format_len = sizeof(format);

	memset(name, 0, sizeof(name));
	memset(value, 0, sizeof(value));
	if (query(QUERY_NAME, oid, n, name, &len) < 0 ||
	    query(QUERY_FORMAT, oid, n, &format, &format_len) < 0 ||
	    sys(SYS_SYSCTL, oid, n, value, &value_len, NULL, 0l) < 0)
		return;
	switch (format.kind & TYPE_MASK) {
	case TYPE_STRING:
		say("%s: %s\n", name, value);
		break;
	case TYPE_INT:
		say("%s: %d\n", name, (long)*(int *)value);
		break;
	case TYPE_UINT:
		say("%s: %u\n", name, (uint64_t)*(uint32_t *)value);
		break;
	case TYPE_LONG:
	case TYPE_S64:
		say("%s: %d\n", name, *(long *)value);
		break;
	case TYPE_ULONG:
	case TYPE_U64:
		say("%s: %u\n", name, *(uint64_t *)value);
		break;
	}
}

long
sysctl_show(const char *name)
{
	int top[MAXNAME], at[MAXNAME], ask[2] = { 0, QUERY_OID };
	size_t n, len = sizeof(top), i;
	long error = sys(SYS_SYSCTL, ask, 2l, top, &len, name, strlen(name));

	if (error < 0)
		return (-error);
	n = len / sizeof(int);
	memcpy(at, top, len);
	show(at, len / sizeof(int));
	for (;;) {
		int next[MAXNAME];
		size_t next_len = sizeof(next);

		if (query(QUERY_NEXT, at, len / sizeof(int), next, &next_len) < 0)
			return (0);
		for (i = 0; i < n; i++) {
			if (next_len / sizeof(int) <= i || next[i] != top[i])
				return (0);
		}
		memcpy(at, next, next_len);
		len = next_len;
		show(at, len / sizeof(int));
	}
}
