/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Declarations of the FreeBSD 15 kernel that the glue uses and that no
 * installed header contains, for builds without a source tree.  They are not
 * used if SYSDIR is given.  For each section's "for" line, mk/kmod-headers.sh
 * creates a header of that name, which defines KPI_<NAME> and includes this
 * file.  Sources: the interfaces (*_if.m), the manual pages clk(9),
 * regulator(9) and hwreset(9), and the headers that those name.
 *
 * There is no include guard: this file is included once for each section.
 */

#ifndef KPI_METHOD
/* A kobj(9) method: its type, and the descriptor by which tables name it. */
#define	KPI_METHOD(result, name, ...)				\
	extern struct kobjop_desc name##_desc;				\
	typedef result name##_t(__VA_ARGS__)
#endif

/* for <device_if.h> */
#if defined(KPI_DEVICE_IF_H) && !defined(KPI_DEVICE_IF_H_DONE)
#define	KPI_DEVICE_IF_H_DONE
KPI_METHOD(void, device_identify, driver_t *, device_t);
KPI_METHOD(int, device_probe, device_t);
KPI_METHOD(int, device_attach, device_t);
KPI_METHOD(int, device_detach, device_t);
KPI_METHOD(int, device_shutdown, device_t);
KPI_METHOD(int, device_suspend, device_t);
KPI_METHOD(int, device_resume, device_t);
KPI_METHOD(int, device_quiesce, device_t);
#endif

/* for <bus_if.h> */
#if defined(KPI_BUS_IF_H) && !defined(KPI_BUS_IF_H_DONE)
#define	KPI_BUS_IF_H_DONE
KPI_METHOD(int, bus_child_pnpinfo, device_t, device_t, struct sbuf *);
KPI_METHOD(int, bus_get_device_path, device_t, device_t, const char *,
    struct sbuf *);
#endif

/* for <ofw_bus_if.h> */
#if defined(KPI_OFW_BUS_IF_H) && !defined(KPI_OFW_BUS_IF_H_DONE)
#define	KPI_OFW_BUS_IF_H_DONE
/* A property of the device tree node of dev: the method, and the function that calls it. */
#define	KPI_OFW_BUS_GET(result, name, NAME)				\
	KPI_METHOD(result, ofw_bus_get_##name, device_t, device_t);	\
									\
	static __inline result						\
	OFW_BUS_GET_##NAME(device_t bus, device_t dev)			\
	{								\
		kobjop_t _m;						\
									\
		KOBJOPLOOKUP(((kobj_t)bus)->ops, ofw_bus_get_##name);	\
		return (((ofw_bus_get_##name##_t *)_m)(bus, dev));	\
	}
KPI_OFW_BUS_GET(const char *, compat, COMPAT)
KPI_OFW_BUS_GET(const char *, model, MODEL)
KPI_OFW_BUS_GET(const char *, name, NAME)
KPI_OFW_BUS_GET(phandle_t, node, NODE)
KPI_OFW_BUS_GET(const char *, type, TYPE)
#endif

/* for <dev/clk/clk.h> */
#if defined(KPI_DEV_CLK_CLK_H) && !defined(KPI_DEV_CLK_CLK_H_DONE)
#define	KPI_DEV_CLK_CLK_H_DONE
#include <dev/ofw/ofw_bus.h>

/* How clk_set_freq() may round the frequency. */
#define	CLK_SET_ROUND_EXACT	0x0
#define	CLK_SET_ROUND_UP	0x1
#define	CLK_SET_ROUND_DOWN	0x2

typedef struct clk *clk_t;
int	 clk_get_by_ofw_index(device_t, phandle_t, int, clk_t *);
int	 clk_get_by_ofw_name(device_t, phandle_t, const char *, clk_t *);
int	 clk_set_assigned(device_t, phandle_t);
int	 clk_release(clk_t);
int	 clk_enable(clk_t);
int	 clk_disable(clk_t);
int	 clk_get_freq(clk_t, uint64_t *);
int	 clk_set_freq(clk_t, uint64_t, int);
#endif

/* for <dev/regulator/regulator.h> */
#if defined(KPI_DEV_REGULATOR_REGULATOR_H) && \
    !defined(KPI_DEV_REGULATOR_REGULATOR_H_DONE)
#define	KPI_DEV_REGULATOR_REGULATOR_H_DONE
#include <dev/ofw/ofw_bus.h>

typedef struct regulator *regulator_t;
int	 regulator_get_by_ofw_property(device_t, phandle_t, char *,
	    regulator_t *);
int	 regulator_release(regulator_t);
int	 regulator_enable(regulator_t);
int	 regulator_disable(regulator_t);
int	 regulator_get_voltage(regulator_t, int *);
int	 regulator_set_voltage(regulator_t, int, int);
#endif

/* for <dev/hwreset/hwreset.h> */
#if defined(KPI_DEV_HWRESET_HWRESET_H) && \
    !defined(KPI_DEV_HWRESET_HWRESET_H_DONE)
#define	KPI_DEV_HWRESET_HWRESET_H_DONE
#include <dev/ofw/ofw_bus.h>

typedef struct hwreset *hwreset_t;
int	 hwreset_get_by_ofw_idx(device_t, phandle_t, int, hwreset_t *);
int	 hwreset_get_by_ofw_name(device_t, phandle_t, char *, hwreset_t *);
void	 hwreset_release(hwreset_t);
int	 hwreset_assert(hwreset_t);
int	 hwreset_deassert(hwreset_t);
#endif

/* for <dev/syscon/syscon.h> */
#if defined(KPI_DEV_SYSCON_SYSCON_H) && \
    !defined(KPI_DEV_SYSCON_SYSCON_H_DONE)
#define	KPI_DEV_SYSCON_SYSCON_H_DONE
#include <dev/ofw/ofw_bus.h>

struct syscon;
int	 syscon_get_by_ofw_property(device_t, phandle_t, char *,
	    struct syscon **);
int	 syscon_get_by_ofw_node(device_t, phandle_t, struct syscon **);
#endif

/* for <syscon_if.h> */
#if defined(KPI_SYSCON_IF_H) && !defined(KPI_SYSCON_IF_H_DONE)
#define	KPI_SYSCON_IF_H_DONE
struct syscon;
KPI_METHOD(uint32_t, syscon_read_4, struct syscon *, bus_size_t);
KPI_METHOD(int, syscon_write_4, struct syscon *, bus_size_t, uint32_t);
KPI_METHOD(int, syscon_modify_4, struct syscon *, bus_size_t, uint32_t,
    uint32_t);

static __inline uint32_t
SYSCON_READ_4(struct syscon *syscon, bus_size_t off)
{
	kobjop_t _m;

	KOBJOPLOOKUP(((kobj_t)syscon)->ops, syscon_read_4);
	return (((syscon_read_4_t *)_m)(syscon, off));
}

static __inline int
SYSCON_WRITE_4(struct syscon *syscon, bus_size_t off, uint32_t val)
{
	kobjop_t _m;

	KOBJOPLOOKUP(((kobj_t)syscon)->ops, syscon_write_4);
	return (((syscon_write_4_t *)_m)(syscon, off, val));
}

/* Clears the bits of clear, then sets those of set. */
static __inline int
SYSCON_MODIFY_4(struct syscon *syscon, bus_size_t off, uint32_t clear,
    uint32_t set)
{
	kobjop_t _m;

	KOBJOPLOOKUP(((kobj_t)syscon)->ops, syscon_modify_4);
	return (((syscon_modify_4_t *)_m)(syscon, off, clear, set));
}
#endif
