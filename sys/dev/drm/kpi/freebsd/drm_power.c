/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * A device's power domain and operating point.
 */
#include "drm_glue.h"

#include <dev/ofw/openfirm.h>
#include <dev/ofw/ofw_bus.h>
#include <dev/clk/clk.h>
#include <dev/regulator/regulator.h>

#include "power/drm_power.h"

static int
frequency_handler(SYSCTL_HANDLER_ARGS)
{
	struct drm_os_dev *dev = arg1;
	uint64_t hz;
	uint32_t uv;

	drm_opp_current(dev->opp, &hz, &uv);
	return (sysctl_handle_64(oidp, &hz, 0, req));
}

static int
voltage_handler(SYSCTL_HANDLER_ARGS)
{
	struct drm_os_dev *dev = arg1;
	uint64_t hz;
	uint32_t uv;

	drm_opp_current(dev->opp, &hz, &uv);
	return (sysctl_handle_32(oidp, &uv, 0, req));
}

/*
 * A GPU without usable operating points runs at the frequency and voltage that
 * the firmware has set; drm_opp_set_highest() logs that.
 */
static void
find_operating_point(struct drm_os_dev *dev)
{

	if (clk_get_by_ofw_index(dev->dev, 0, 0, &dev->opp_clk) != 0)
		dev->opp_clk = NULL;
	if (regulator_get_by_ofw_property(dev->dev, 0,
	    __DECONST(char *, "mali-supply"), &dev->opp_regulator) != 0)
		dev->opp_regulator = NULL;
	if (drm_opp_init(dev->dev, dev->opp_clk, dev->opp_regulator,
	    &dev->opp) == 0)
		(void)drm_opp_set_highest(dev->opp);
	else
		dev->opp = NULL;
}

int
drm_dev_power_attach(struct drm_os_dev *dev)
{
	clk_t clk;
	int error;

	error = drm_power_get(dev->dev, &dev->power);
	if (error == ENOENT)
		dev->power = NULL;
	else if (error != 0)
		return (error);
	/* drm_clk_fallback() assigns clocks that the kernel does not know. */
	if (clk_get_by_ofw_index(dev->dev, 0, 0, &clk) == 0) {
		clk_release(clk);
		(void)clk_set_assigned(dev->dev, ofw_bus_get_node(dev->dev));
	}
	find_operating_point(dev);
	return (0);
}

void
drm_dev_power_detach(struct drm_os_dev *dev)
{

	if (dev->opp != NULL)
		drm_opp_fini(dev->opp);
	if (dev->opp_regulator != NULL)
		regulator_release(dev->opp_regulator);
	if (dev->opp_clk != NULL)
		clk_release(dev->opp_clk);
	if (dev->power != NULL)
		drm_power_put(dev->power);
	dev->opp = NULL;
	dev->opp_regulator = NULL;
	dev->opp_clk = NULL;
	dev->power = NULL;
}

void
drm_dev_power_sysctls(struct drm_os_dev *dev, struct sysctl_oid_list *list)
{

	if (dev->opp == NULL)
		return;
	SYSCTL_ADD_PROC(&dev->sysctls, list, OID_AUTO, "freq",
	    CTLTYPE_U64 | CTLFLAG_RD | CTLFLAG_MPSAFE, dev, 0,
	    frequency_handler, "QU", "frequency of the GPU in Hz");
	SYSCTL_ADD_PROC(&dev->sysctls, list, OID_AUTO, "voltage",
	    CTLTYPE_U32 | CTLFLAG_RD | CTLFLAG_MPSAFE, dev, 0,
	    voltage_handler, "IU", "supply voltage of the GPU in microvolts");
}

int
drm_os_power_on(struct drm_os_dev *dev)
{

	return (dev->power == NULL ? 0 : drm_power_on(dev->power));
}

int
drm_os_power_off(struct drm_os_dev *dev)
{

	return (dev->power == NULL ? 0 : drm_power_off(dev->power));
}
