/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Devices: what newbus(9) asks of the drivers, answered by their tables.
 */
#include "drm_glue.h"

#include <sys/module.h>
#include <sys/refcount.h>
#include <vm/vm.h>
#include <vm/pmap.h>
#include <machine/md_var.h>

#include <dev/ofw/openfirm.h>
#include <dev/ofw/ofw_bus.h>
#include <dev/ofw/ofw_bus_subr.h>

#include "drm_newbus.h"

/* What newbus allocates; the rest lives as long as its users. */
struct drm_softc {
	struct drm_os_dev *dev;
};

void
drm_dev_hold(struct drm_os_dev *dev)
{

	refcount_acquire(&dev->refs);
}

void
drm_dev_release(struct drm_os_dev *dev)
{

	if (!refcount_release(&dev->refs))
		return;
	sx_destroy(&dev->lock);
	free(dev, M_DRM);
}

int
drm_newbus_probe(device_t device, const struct drm_os_driver *driver)
{
	const char *const *name;

	if (!ofw_bus_status_okay(device))
		return (ENXIO);
	for (name = driver->compatible; *name != NULL; name++) {
		if (ofw_bus_is_compatible(device, *name)) {
			device_set_descf(device, "%s GPU", *name);
			return (BUS_PROBE_DEFAULT);
		}
	}
	return (ENXIO);
}

int
drm_newbus_attach(device_t device, const struct drm_os_driver *driver)
{
	struct drm_softc *sc = device_get_softc(device);
	struct drm_os_dev *dev;
	void *softc;
	int error;

	dev = malloc(sizeof(*dev), M_DRM, M_WAITOK | M_ZERO);
	dev->dev = device;
	strlcpy(dev->name, device_get_nameunit(device), sizeof(dev->name));
	dev->driver = driver;
	dev->high = dev->data_high = ~(vm_paddr_t)0;
	dev->index = -1;
	dev->coherent = OF_hasprop(ofw_bus_get_node(device), "dma-coherent");
	refcount_init(&dev->refs, 1);
	sx_init(&dev->lock, "drm device");
	softc = NULL;
	error = drm_dev_power_attach(dev);
	if (error == 0) {
		error = driver->attach(dev, &softc);
		if (error != 0)
			drm_dev_power_detach(dev);
	}
	if (error != 0) {
		device_printf(device, "cannot attach: error %d\n", error);
		drm_dev_release(dev);
		return (error > 0 && error <= ELAST ? error : ENXIO);
	}
	sc->dev = dev;
	sx_xlock(&drm_os.devs_lock);
	dev->softc = softc;
	TAILQ_INSERT_TAIL(&drm_os.devs, dev, link);
	sx_xunlock(&drm_os.devs_lock);
	drm_dev_sysctls(dev);
	return (0);
}

int
drm_newbus_detach(device_t device)
{
	struct drm_softc *sc = device_get_softc(device);
	struct drm_os_dev *dev = sc->dev;
	int error;

	sx_xlock(&dev->lock);
	error = dev->driver->detach(dev->softc, drm_os.unloading);
	if (error == 0)
		dev->softc = NULL;
	sx_xunlock(&dev->lock);
	if (error != 0)
		return (error);
	sx_xlock(&drm_os.devs_lock);
	TAILQ_REMOVE(&drm_os.devs, dev, link);
	sx_xunlock(&drm_os.devs_lock);
	sysctl_ctx_free(&dev->sysctls);
	drm_dev_power_detach(dev);
	sc->dev = NULL;
	drm_dev_release(dev);
	return (0);
}

int
drm_newbus_quiesce(device_t device)
{
	struct drm_softc *sc = device_get_softc(device);

	return (sc->dev->opened != 0 ? EBUSY : 0);
}

/*
 * kldunload(2) asks all modules of a file to be quiet, and stops there when one
 * is not, unless it was told to force.  So what comes here may not fail.
 */
int
drm_newbus_modevent(module_t mod, int what, void *arg)
{
	int error;

	if (what == MOD_UNLOAD)
		drm_os.unloading = true;
	error = driver_module_handler(mod, what, arg);
	if (what == MOD_UNLOAD && error != 0)
		drm_os.unloading = false;
	return (error);
}

struct drm_os *
drm_os_dev_os(struct drm_os_dev *dev __unused)
{

	return (&drm_os);
}

size_t
drm_os_dev_name(struct drm_os_dev *dev, char *buf, size_t len)
{

	len = MIN(len, strlen(dev->name));
	memcpy(buf, dev->name, len);
	return (len);
}

void *
drm_os_dev_peer(struct drm_os_dev *dev, uint32_t index)
{
	struct drm_os_dev *peer;
	void *softc;

	softc = NULL;
	sx_slock(&drm_os.devs_lock);
	TAILQ_FOREACH(peer, &drm_os.devs, link) {
		if (peer->driver == dev->driver && index-- == 0) {
			softc = peer->softc;
			break;
		}
	}
	sx_sunlock(&drm_os.devs_lock);
	return (softc);
}

int
drm_os_dev_coherent(struct drm_os_dev *dev)
{

	return (dev->coherent);
}

/* With all memory in reach nothing need be looked for. */
static vm_paddr_t
last_address(uint32_t bits)
{
	vm_paddr_t last;

	last = bits >= 64 ? ~(vm_paddr_t)0 : ((vm_paddr_t)1 << bits) - 1;
	return (ptoa((vm_paddr_t)Maxmem) - 1 <= last ? ~(vm_paddr_t)0 : last);
}

int
drm_os_dev_dma_bits(struct drm_os_dev *dev, uint32_t bits, uint32_t data_bits)
{

	dev->high = last_address(bits);
	dev->data_high = last_address(data_bits);
	return (0);
}
