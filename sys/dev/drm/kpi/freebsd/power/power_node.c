/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Resources of a device tree node for the power drivers: its newbus device,
 * registers and clocks.
 */
#include <dev/drm/kpi/freebsd/power/power_impl.h>

#include <dev/syscon/syscon.h>

#include "syscon_if.h"

/*
 * There is no map from nodes to devices, so the FDT buses are searched in
 * turn.
 */
device_t
drm_node_device(phandle_t node)
{
	static const char *const buses[] = {
		"ofwbus", "simplebus", "simple_mfd"
	};
	devclass_t dc;
	device_t *devs, found;
	u_int i;
	int j, ndevs;

	found = NULL;
	for (i = 0; i < nitems(buses) && found == NULL; i++) {
		dc = devclass_find(buses[i]);
		if (dc == NULL || devclass_get_devices(dc, &devs, &ndevs) != 0)
			continue;
		for (j = 0; j < ndevs && found == NULL; j++) {
			if (device_is_attached(devs[j]))
				found = ofw_bus_find_child_device_by_phandle(
				    devs[j], node);
		}
		free(devs, M_TEMP);
	}
	return (found);
}

struct drm_reg {
	struct drm_reg_io io;
	struct syscon	*syscon;
	bus_space_tag_t	 tag;
	bus_space_handle_t handle;
	bus_size_t	 size;
};

static void
reg_delay(void *arg __unused, uint32_t usec)
{

	DELAY(usec);
}

static uint32_t
reg_syscon_read(void *arg, uint32_t off)
{
	struct drm_reg *reg = arg;

	return (SYSCON_READ_4(reg->syscon, off));
}

static void
reg_syscon_write(void *arg, uint32_t off, uint32_t val)
{
	struct drm_reg *reg = arg;

	SYSCON_WRITE_4(reg->syscon, off, val);
}

static void
reg_syscon_modify(void *arg, uint32_t off, uint32_t clear, uint32_t set)
{
	struct drm_reg *reg = arg;

	SYSCON_MODIFY_4(reg->syscon, off, clear, set);
}

static uint32_t
reg_map_read(void *arg, uint32_t off)
{
	struct drm_reg *reg = arg;

	return (bus_space_read_4(reg->tag, reg->handle, off));
}

static void
reg_map_write(void *arg, uint32_t off, uint32_t val)
{
	struct drm_reg *reg = arg;

	bus_space_write_4(reg->tag, reg->handle, off, val);
}

/* Atomic only among callers that hold the same lock of this directory. */
static void
reg_map_modify(void *arg, uint32_t off, uint32_t clear, uint32_t set)
{

	reg_map_write(arg, off, (reg_map_read(arg, off) & ~clear) | set);
}

int
drm_reg_open(device_t dev, phandle_t node, struct drm_reg **regp)
{
	struct drm_reg *reg;
	int error;

	reg = malloc(sizeof(*reg), M_DRM, M_WAITOK | M_ZERO);
	reg->io.arg = reg;
	reg->io.delay = reg_delay;
	/*
	 * OF_device_from_xref: without it, a syscon that has not attached is
	 * logged.
	 */
	if (ofw_bus_node_is_compatible(node, "syscon") &&
	    OF_device_from_xref(OF_xref_from_node(node)) != NULL &&
	    syscon_get_by_ofw_node(dev, node, &reg->syscon) == 0) {
		reg->io.read = reg_syscon_read;
		reg->io.write = reg_syscon_write;
		reg->io.modify = reg_syscon_modify;
		*regp = reg;
		return (0);
	}
	reg->syscon = NULL;
	/*
	 * A second mapping besides that of the kernel's driver, which owns the
	 * resource: with the same attributes, and for registers that it does
	 * not access.
	 */
	error = OF_decode_addr(node, 0, &reg->tag, &reg->handle, &reg->size);
	if (error != 0) {
		free(reg, M_DRM);
		return (ENXIO);
	}
	reg->io.read = reg_map_read;
	reg->io.write = reg_map_write;
	reg->io.modify = reg_map_modify;
	*regp = reg;
	return (0);
}

void
drm_reg_close(struct drm_reg *reg)
{

	if (reg->syscon == NULL)
		bus_space_unmap(reg->tag, reg->handle, reg->size);
	free(reg, M_DRM);
}

const struct drm_reg_io *
drm_reg_io(struct drm_reg *reg)
{

	return (&reg->io);
}

struct node_clk {
	clk_t		 kernel;	/* NULL: ours */
	struct drm_clk	*ours;
};

struct drm_node_clks {
	int		 count;
	struct node_clk	 clks[];
};

static int
node_clk_get(device_t dev, phandle_t node, int idx, struct node_clk *clk)
{
	int error;

	error = clk_get_by_ofw_index(dev, node, idx, &clk->kernel);
	if (error != 0) {
		clk->kernel = NULL;
		if (drm_clk_fallback_idx(dev, node, idx, &clk->ours) == 0)
			error = 0;
	}
	return (error);
}

int
drm_node_clks_get(device_t dev, phandle_t node, struct drm_node_clks **clksp)
{
	struct drm_node_clks *clks;
	int count, error, i;

	error = ofw_bus_parse_xref_list_get_length(node, "clocks",
	    "#clock-cells", &count);
	if (error != 0)
		count = 0;
	if (error != 0 && error != ENOENT)
		return (ENXIO);
	clks = malloc(sizeof(*clks) + count * sizeof(clks->clks[0]), M_DRM,
	    M_WAITOK | M_ZERO);
	for (i = 0; i < count; i++) {
		error = node_clk_get(dev, node, i, &clks->clks[i]);
		if (error != 0) {
			device_printf(dev, "cannot get clock %d of the power "
			    "domain: error %d\n", i, error);
			drm_node_clks_put(clks);
			return (ENXIO);
		}
		clks->count++;
	}
	*clksp = clks;
	return (0);
}

void
drm_node_clks_put(struct drm_node_clks *clks)
{
	int i;

	for (i = 0; i < clks->count; i++) {
		if (clks->clks[i].kernel != NULL)
			clk_release(clks->clks[i].kernel);
		else
			drm_clk_put(clks->clks[i].ours);
	}
	free(clks, M_DRM);
}

static void
node_clks_disable(struct drm_node_clks *clks, int count)
{

	while (count-- > 0) {
		if (clks->clks[count].kernel != NULL)
			clk_disable(clks->clks[count].kernel);
		else
			drm_clk_disable(clks->clks[count].ours);
	}
}

int
drm_node_clks_enable(struct drm_node_clks *clks)
{
	int error, i;

	for (i = 0; i < clks->count; i++) {
		if (clks->clks[i].kernel != NULL)
			error = clk_enable(clks->clks[i].kernel);
		else
			error = drm_clk_enable(clks->clks[i].ours);
		if (error != 0) {
			node_clks_disable(clks, i);
			return (error);
		}
	}
	return (0);
}

void
drm_node_clks_disable(struct drm_node_clks *clks)
{

	node_clks_disable(clks, clks->count);
}
