/* SPDX-License-Identifier: BSD-2-Clause */

/* Strings and numbers. */

#include "sys.h"

size_t
strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return (n);
}

int
strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++) {
		if (*a != *b || *a == '\0')
			return (*a - *b);
	}
	return (0);
}

int
strcmp(const char *a, const char *b)
{
	return (strncmp(a, b, ~(size_t)0));
}

void *
memcpy(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	while (n-- > 0)
		*t++ = *f++;
	return (to);
}

void *
memset(void *to, int byte, size_t n)
{
	char *t = to;

	while (n-- > 0)
		*t++ = (char)byte;
	return (to);
}

uint64_t
number_of(const char *s)
{
	uint64_t n = 0, base = 10;

	if (s[0] == '0' && s[1] == 'x') {
		s += 2;
		base = 16;
	}
	for (;; s++) {
		if (*s >= '0' && *s <= '9')
			n = n * base + (uint64_t)(*s - '0');
		else if (base == 16 && *s >= 'a' && *s <= 'f')
			n = n * base + (uint64_t)(*s - 'a') + 10;
		else
			return (n);
	}
}

/* A line is written by one write(2), so that lines of two programs do not mix. */
struct line {
	char text[512];
	size_t len;
};

static void
put(struct line *line, char c)
{
	if (line->len < sizeof(line->text))
		line->text[line->len++] = c;
}

static void
put_number(struct line *line, uint64_t n, uint64_t base)
{
	char digits[24];
	int i = 0;

	do {
		digits[i++] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n > 0);
	while (i > 0)
		put(line, digits[--i]);
}

void
say(const char *format, ...)
{
	struct line line = { .len = 0 };
	const char *s;
	long n;
	__builtin_va_list args;

	__builtin_va_start(args, format);
	for (; *format != '\0'; format++) {
		if (*format != '%') {
			put(&line, *format);
			continue;
		}
		switch (*++format) {
		case 's':
			for (s = __builtin_va_arg(args, const char *); *s != '\0'; s++)
				put(&line, *s);
			break;
		case 'd':
			n = __builtin_va_arg(args, long);
			if (n < 0)
				put(&line, '-');
			put_number(&line, n < 0 ? -(uint64_t)n : (uint64_t)n, 10);
			break;
		case 'u':
			put_number(&line, __builtin_va_arg(args, uint64_t), 10);
			break;
		default:
			put_number(&line, __builtin_va_arg(args, uint64_t), 16);
			break;
		}
	}
	__builtin_va_end(args);
	sys(SYS_WRITE, 1, line.text, line.len);
}
