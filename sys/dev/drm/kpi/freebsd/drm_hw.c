/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Resources of a device tree node, found by name: registers, interrupts,
 * clocks, regulators, resets.
 */
#include "drm_glue.h"

#include <sys/rman.h>
#include <machine/atomic.h>
#include <machine/bus.h>
#include <machine/resource.h>

#include <dev/ofw/openfirm.h>
#include <dev/ofw/ofw_bus.h>
#include <dev/ofw/ofw_bus_subr.h>
#include <dev/clk/clk.h>
#include <dev/hwreset/hwreset.h>
#include <dev/regulator/regulator.h>

#include "power/drm_power.h"

struct drm_os_mmio {
	struct drm_os_dev *dev;
	struct resource	*res;
	int		 rid;
};

struct drm_os_clk {
	clk_t		 clk;
	struct drm_clk	*own;		/* where the kernel lacks it */
};

struct drm_os_irq {
	struct drm_os_dev *dev;
	struct resource	*res;
	int		 rid;
	void		*cookie;
	drm_os_irq_fn	*fn;
	void		*arg;
	struct mtx	 lock;
	bool		 running;	/* (lock) */
};

/* The index of a name in a list of strings; that of NULL is 0. */
static int
index_of(struct drm_os_dev *dev, const char *list, const char *name, int *index)
{

	*index = 0;
	if (name == NULL)
		return (0);
	return (ofw_bus_find_string_index(ofw_bus_get_node(dev->dev), list,
	    name, index));
}

int
drm_os_mmio_map(struct drm_os_dev *dev, const char *name, size_t min_len,
    struct drm_os_mmio **mmiop)
{
	struct drm_os_mmio *mmio;
	int error, rid;

	error = index_of(dev, "reg-names", name, &rid);
	if (error != 0)
		return (ENOENT);
	mmio = malloc(sizeof(*mmio), M_DRM, M_WAITOK | M_ZERO);
	mmio->rid = rid;
	mmio->res = bus_alloc_resource_any(dev->dev, SYS_RES_MEMORY,
	    &mmio->rid, RF_ACTIVE);
	if (mmio->res == NULL) {
		free(mmio, M_DRM);
		return (ENXIO);
	}
	if (rman_get_size(mmio->res) < min_len) {
		bus_release_resource(dev->dev, SYS_RES_MEMORY, mmio->rid,
		    mmio->res);
		free(mmio, M_DRM);
		return (ENXIO);
	}
	drm_dev_hold(dev);
	mmio->dev = dev;
	*mmiop = mmio;
	return (0);
}

void
drm_os_mmio_unmap(struct drm_os_mmio *mmio)
{

	bus_release_resource(mmio->dev->dev, SYS_RES_MEMORY, mmio->rid,
	    mmio->res);
	drm_dev_release(mmio->dev);
	free(mmio, M_DRM);
}

uint32_t
drm_os_mmio_read4(struct drm_os_mmio *mmio, uint32_t off)
{
	uint32_t val;

	val = bus_read_4(mmio->res, off);
	rmb();
	return (val);
}

void
drm_os_mmio_write4(struct drm_os_mmio *mmio, uint32_t off, uint32_t val)
{

	wmb();
	bus_write_4(mmio->res, off, val);
}

static void
irq_run(void *arg)
{
	struct drm_os_irq *irq = arg;

	mtx_lock(&irq->lock);
	irq->running = true;
	mtx_unlock(&irq->lock);
	irq->fn(irq->arg);
	mtx_lock(&irq->lock);
	irq->running = false;
	wakeup(irq);
	mtx_unlock(&irq->lock);
}

int
drm_os_irq_setup(struct drm_os_dev *dev, const char *name, drm_os_irq_fn *fn,
    void *arg, struct drm_os_irq **irqp)
{
	struct drm_os_irq *irq;
	int error, rid;

	error = index_of(dev, "interrupt-names", name, &rid);
	if (error != 0)
		return (ENOENT);
	irq = malloc(sizeof(*irq), M_DRM, M_WAITOK | M_ZERO);
	irq->rid = rid;
	irq->fn = fn;
	irq->arg = arg;
	irq->dev = dev;
	irq->res = bus_alloc_resource_any(dev->dev, SYS_RES_IRQ, &irq->rid,
	    RF_ACTIVE | RF_SHAREABLE);
	if (irq->res == NULL) {
		free(irq, M_DRM);
		return (name == NULL ? ENXIO : ENOENT);
	}
	mtx_init(&irq->lock, "drm interrupt", NULL, MTX_DEF);
	drm_dev_hold(dev);
	/* Stored first: the handler may run before this returns. */
	*irqp = irq;
	error = bus_setup_intr(dev->dev, irq->res, INTR_TYPE_MISC | INTR_MPSAFE,
	    NULL, irq_run, irq, &irq->cookie);
	if (error != 0) {
		*irqp = NULL;
		bus_release_resource(dev->dev, SYS_RES_IRQ, irq->rid, irq->res);
		mtx_destroy(&irq->lock);
		drm_dev_release(dev);
		free(irq, M_DRM);
	} else if (name != NULL)
		bus_describe_intr(dev->dev, irq->res, irq->cookie, "%s", name);
	return (error);
}

void
drm_os_irq_teardown(struct drm_os_irq *irq)
{

	/* Waits for the handler. */
	bus_teardown_intr(irq->dev->dev, irq->res, irq->cookie);
	bus_release_resource(irq->dev->dev, SYS_RES_IRQ, irq->rid, irq->res);
	mtx_destroy(&irq->lock);
	drm_dev_release(irq->dev);
	free(irq, M_DRM);
}

void
drm_os_irq_sync(struct drm_os_irq *irq)
{

	mtx_lock(&irq->lock);
	while (irq->running)
		msleep(irq, &irq->lock, 0, "drmirq", 0);
	mtx_unlock(&irq->lock);
}

int
drm_os_clk_get(struct drm_os_dev *dev, const char *name,
    struct drm_os_clk **clkp)
{
	struct drm_os_clk *clk;
	int error;

	clk = malloc(sizeof(*clk), M_DRM, M_WAITOK | M_ZERO);
	if (name == NULL)
		error = clk_get_by_ofw_index(dev->dev, 0, 0, &clk->clk);
	else
		error = clk_get_by_ofw_name(dev->dev, 0, name, &clk->clk);
	if (error != 0 && name != NULL &&
	    drm_clk_fallback(dev->dev, name, &clk->own) == 0)
		error = 0;
	if (error != 0)
		free(clk, M_DRM);
	else
		*clkp = clk;
	return (error);
}

void
drm_os_clk_put(struct drm_os_clk *clk)
{

	if (clk->own != NULL)
		drm_clk_put(clk->own);
	else
		clk_release(clk->clk);
	free(clk, M_DRM);
}

int
drm_os_clk_enable(struct drm_os_clk *clk)
{

	return (clk->own != NULL ? drm_clk_enable(clk->own) :
	    clk_enable(clk->clk));
}

int
drm_os_clk_disable(struct drm_os_clk *clk)
{

	return (clk->own != NULL ? drm_clk_disable(clk->own) :
	    clk_disable(clk->clk));
}

int
drm_os_clk_rate(struct drm_os_clk *clk, uint64_t *hz)
{

	return (clk->own != NULL ? drm_clk_rate(clk->own, hz) :
	    clk_get_freq(clk->clk, hz));
}

/* The handles of these frameworks are pointers, and used as they are. */

int
drm_os_regulator_get(struct drm_os_dev *dev, const char *name,
    struct drm_os_regulator **regp)
{
	char property[32];
	regulator_t reg;
	int error;

	if (name == NULL)
		return (ENOENT);
	snprintf(property, sizeof(property), "%s-supply", name);
	error = regulator_get_by_ofw_property(dev->dev, 0, property, &reg);
	if (error == 0)
		*regp = (struct drm_os_regulator *)reg;
	return (error);
}

void
drm_os_regulator_put(struct drm_os_regulator *reg)
{

	regulator_release((regulator_t)reg);
}

int
drm_os_regulator_enable(struct drm_os_regulator *reg)
{

	return (regulator_enable((regulator_t)reg));
}

int
drm_os_regulator_disable(struct drm_os_regulator *reg)
{

	return (regulator_disable((regulator_t)reg));
}

int
drm_os_reset_get(struct drm_os_dev *dev, const char *name,
    struct drm_os_reset **resetp)
{
	hwreset_t reset;
	int error;

	if (name == NULL)
		error = hwreset_get_by_ofw_idx(dev->dev, 0, 0, &reset);
	else
		error = hwreset_get_by_ofw_name(dev->dev, 0,
		    __DECONST(char *, name), &reset);
	if (error == 0)
		*resetp = (struct drm_os_reset *)reset;
	return (error);
}

void
drm_os_reset_put(struct drm_os_reset *reset)
{

	hwreset_release((hwreset_t)reset);
}

int
drm_os_reset_assert(struct drm_os_reset *reset)
{

	return (hwreset_assert((hwreset_t)reset));
}

int
drm_os_reset_deassert(struct drm_os_reset *reset)
{

	return (hwreset_deassert((hwreset_t)reset));
}
