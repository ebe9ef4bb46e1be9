/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Linux's parser of Vivante command streams needs of the rest of it, in user space: included
 * before each of its files, in place of their headers. The search in bitmaps is Linux's own, called
 * as the kernel calls it; what is logged goes nowhere.
 */
#ifndef ETNAVIV_SHIM_H
#define ETNAVIV_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define __init
#define __initconst
#define EXPORT_SYMBOL(x)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define min(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ALIGN(x, a) (((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))

/*
 * Bitmaps. Of lib/find_bit.c only the search for the next bit is wanted: the macros leave the
 * others out.
 */
#define BITS_PER_LONG 64
#define DECLARE_BITMAP(name, bits) unsigned long name[((bits) + 63) / 64]
#define BITMAP_FIRST_WORD_MASK(start) (~0ul << ((start) & 63))
#define BITMAP_LAST_WORD_MASK(bits) (~0ul >> (-(bits) & 63))
#define __ffs(x) ((unsigned long)__builtin_ctzl(x))
#define __fls(x) (63ul - __builtin_clzl(x))
#define hweight_long(x) ((unsigned long)__builtin_popcountl(x))
#define fns(x, n) (__builtin_trap(), 0ul)
#define find_first_bit
#define find_first_and_bit
#define find_first_zero_bit
#define find_next_and_bit
#define find_next_andnot_bit
#define find_next_zero_bit
#define find_last_bit
#define round_down(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define bitmap_get_value8(map, start) (__builtin_trap(), 0ul)
unsigned long _find_next_bit(const unsigned long *map, unsigned long bits, unsigned long start);
static inline unsigned long
find_next_bit(const unsigned long *map, unsigned long bits, unsigned long start)
{
	return _find_next_bit(map, bits, start);
}
#define for_each_set_bit_from(bit, map, bits) \
	for (; (bit) = find_next_bit((map), (bits), (bit)), (bit) < (bits); (bit)++)
static inline void bitmap_set(unsigned long *map, unsigned int start, unsigned int bits)
{
	for (; bits; start++, bits--)
		map[start / 64] |= 1ul << (start % 64);
}

static inline void no_log(void *dev, const char *format, ...) { }
#define dev_err no_log
#define dev_warn_once no_log
#define dev_warn_ratelimited no_log

struct etnaviv_gpu { void *dev; };
struct drm_etnaviv_gem_submit_reloc { u32 submit_offset, reloc_idx; u64 reloc_offset; u32 flags; };

#endif
