/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Operating points of a device, from the device tree (bindings opp-v2).
 *
 * Points are ignored that are disabled, that are for a boost (turbo-mode),
 * that depend on the bin of the chip (opp-supported-hw, and named voltages,
 * opp-microvolt-<name>: the fuses are not read), and that need more than one
 * clock or supply.  opp-suspend is ignored, because the clocks of an idle GPU
 * are off.
 */
#include <dev/drm/kpi/freebsd/power/power_impl.h>
#include <dev/drm/kpi/freebsd/power/opp_choose.h>

struct drm_opp {
	device_t	 dev;
	clk_t		 clk;
	regulator_t	 reg;
	size_t		 count;
	struct drm_opp_point *points;
};

static int
opp_get_freq(void *arg, uint64_t *hz)
{
	struct drm_opp *opp = arg;

	return (clk_get_freq(opp->clk, hz));
}

static int
opp_set_freq(void *arg, uint64_t hz)
{
	struct drm_opp *opp = arg;

	return (clk_set_freq(opp->clk, hz, CLK_SET_ROUND_DOWN));
}

static int
opp_get_volt(void *arg, uint32_t *uv)
{
	struct drm_opp *opp = arg;
	int error, value;

	error = regulator_get_voltage(opp->reg, &value);
	if (error == 0 && value < 0)
		error = ERANGE;
	if (error == 0)
		*uv = value;
	return (error);
}

/* A fixed supply cannot be set, but may be in the range. */
static int
opp_set_volt(void *arg, uint32_t min_uv, uint32_t max_uv)
{
	struct drm_opp *opp = arg;
	uint32_t uv;
	int error;

	error = regulator_set_voltage(opp->reg, min_uv, max_uv);
	if (error != 0 && opp_get_volt(arg, &uv) == 0 && uv >= min_uv &&
	    uv <= max_uv)
		error = 0;
	return (error);
}

static bool
opp_is_binned(phandle_t node)
{
	static const char volt[] = "opp-microvolt-";
	char name[64] = "";
	const char *previous;
	int more;

	if (OF_hasprop(node, "opp-supported-hw"))
		return (true);
	previous = NULL;
	for (;;) {
		more = OF_nextprop(node, previous, name, sizeof(name) - 1);
		if (more <= 0)
			return (false);
		if (strncmp(name, volt, sizeof(volt) - 1) == 0)
			return (true);
		previous = name;
	}
}

/* ENOENT: the point is to be ignored. */
static int
opp_read_point(phandle_t node, struct drm_opp_point *point)
{
	pcell_t hz[2], uv[3];
	ssize_t len;

	if (!ofw_bus_node_status_okay(node) || opp_is_binned(node) ||
	    OF_hasprop(node, "turbo-mode"))
		return (ENOENT);
	if (OF_getproplen(node, "opp-hz") != sizeof(hz))
		return (OF_hasprop(node, "opp-hz") ? ENOENT : EINVAL);
	OF_getencprop(node, "opp-hz", hz, sizeof(hz));
	point->hz = (uint64_t)hz[0] << 32 | hz[1];
	if (point->hz == 0)
		return (EINVAL);
	if (!OF_hasprop(node, "opp-microvolt"))
		return (0);
	len = OF_getproplen(node, "opp-microvolt");
	if (len != sizeof(uv[0]) && len != sizeof(uv))
		return (len % sizeof(uv) == 0 ? ENOENT : EINVAL);
	OF_getencprop(node, "opp-microvolt", uv, len);
	point->uv = uv[0];
	point->uv_min = len == sizeof(uv) ? uv[1] : uv[0];
	point->uv_max = len == sizeof(uv) ? uv[2] : uv[0];
	if (point->uv == 0 || point->uv < point->uv_min ||
	    point->uv > point->uv_max || point->uv_max > INT32_MAX)
		return (EINVAL);
	return (0);
}

static int
opp_read_table(device_t dev, phandle_t table, struct drm_opp *opp)
{
	phandle_t node;
	size_t count;
	int error;

	count = 0;
	for (node = OF_child(table); node > 0; node = OF_peer(node))
		count++;
	opp->points = malloc(count * sizeof(opp->points[0]), M_DRM,
	    M_WAITOK | M_ZERO);
	for (node = OF_child(table); node > 0; node = OF_peer(node)) {
		error = opp_read_point(node, &opp->points[opp->count]);
		if (error == 0)
			opp->count++;
		else if (error == EINVAL) {
			device_printf(dev, "malformed operating point\n");
			return (EINVAL);
		}
	}
	if (opp->count == 0) {
		device_printf(dev, "no usable operating point\n");
		return (EINVAL);
	}
	drm_opp_sort(opp->points, opp->count);
	return (0);
}

int
drm_opp_init(device_t dev, clk_t clk, regulator_t reg, struct drm_opp **oppp)
{
	struct drm_opp *opp;
	phandle_t node, table, xref;
	int error;

	node = ofw_bus_get_node(dev);
	if (OF_getencprop(node, "operating-points-v2", &xref,
	    sizeof(xref)) != sizeof(xref))
		return (ENOENT);
	table = OF_node_from_xref(xref);
	if (table == xref ||
	    !ofw_bus_node_is_compatible(table, "operating-points-v2"))
		return (EINVAL);
	opp = malloc(sizeof(*opp), M_DRM, M_WAITOK | M_ZERO);
	opp->dev = dev;
	opp->clk = clk;
	opp->reg = reg;
	error = opp_read_table(dev, table, opp);
	if (error != 0)
		drm_opp_fini(opp);
	else
		*oppp = opp;
	return (error);
}

void
drm_opp_fini(struct drm_opp *opp)
{

	free(opp->points, M_DRM);
	free(opp, M_DRM);
}

int
drm_opp_set_highest(struct drm_opp *opp)
{
	struct drm_opp_ops ops = {
		.get_freq = opp_get_freq,
		.set_freq = opp_set_freq,
		.get_volt = opp->reg != NULL ? opp_get_volt : NULL,
		.set_volt = opp->reg != NULL ? opp_set_volt : NULL,
		.arg = opp,
	};
	quad_t max_hz;
	size_t chosen;
	int error;

	if (opp->clk == NULL)
		return (ENXIO);
	max_hz = 0;
	TUNABLE_QUAD_FETCH("hw.drmkpi.max_freq", &max_hz);
	if (max_hz < 0)
		max_hz = 0;
	error = drm_opp_choose(opp->points, opp->count, &ops, max_hz, &chosen);
	if (error == ERANGE)
		device_printf(opp->dev, "no safe operating point, "
		    "frequency and voltage unchanged\n");
	else if (error == 0 && bootverbose)
		device_printf(opp->dev, "operating point %ju Hz, %u uV\n",
		    (uintmax_t)opp->points[chosen].hz,
		    opp->points[chosen].uv);
	return (error);
}

void
drm_opp_current(struct drm_opp *opp, uint64_t *hz, uint32_t *uv)
{

	if (opp->clk == NULL || clk_get_freq(opp->clk, hz) != 0)
		*hz = 0;
	if (opp->reg == NULL || opp_get_volt(opp, uv) != 0)
		*uv = 0;
}
