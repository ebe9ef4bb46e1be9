/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Devices: the newbus(9) methods of the drivers, by their tables.
 */
#include "drm_glue.h"

#include <sys/eventhandler.h>
#include <sys/module.h>
#include <sys/refcount.h>
#include <vm/vm.h>
#include <vm/pmap.h>
#include <machine/md_var.h>

#include <dev/ofw/openfirm.h>
#include <dev/ofw/ofw_bus.h>
#include <dev/ofw/ofw_bus_subr.h>

#include "drm_newbus.h"

/* Allocated by newbus; the device itself is reference counted. */
struct drm_softc {
	struct drm_os_dev *dev;
};

/*
 * A device that was detached by devctl(8), which may attach it again: newbus
 * drops its name with the driver.
 */
struct detached {
	char		 name[16];
	phandle_t	 node;
	LIST_ENTRY(detached) link;
};

static LIST_HEAD(, detached) detached =	/* (drm_os.devs_lock) */
    LIST_HEAD_INITIALIZER(detached);
static eventhandler_tag lookup_tag;

static void
detached_forget(phandle_t node)
{
	struct detached *old, *next;

	sx_xlock(&drm_os.devs_lock);
	LIST_FOREACH_SAFE(old, &detached, link, next) {
		if (old->node == node) {
			LIST_REMOVE(old, link);
			free(old, M_DRM);
		}
	}
	sx_xunlock(&drm_os.devs_lock);
}

static void
detached_remember(device_t device)
{
	struct detached *new;

	detached_forget(ofw_bus_get_node(device));
	new = malloc(sizeof(*new), M_DRM, M_WAITOK | M_ZERO);
	strlcpy(new->name, device_get_nameunit(device), sizeof(new->name));
	new->node = ofw_bus_get_node(device);
	sx_xlock(&drm_os.devs_lock);
	LIST_INSERT_HEAD(&detached, new, link);
	sx_xunlock(&drm_os.devs_lock);
}

/* The device of a device tree node, a child of a bus with this name. */
static device_t
device_of_node(const char *bus, phandle_t node)
{
	devclass_t class;
	device_t *buses, found;
	int i, n;

	class = devclass_find(bus);
	if (class == NULL || devclass_get_devices(class, &buses, &n) != 0)
		return (NULL);
	found = NULL;
	for (i = 0; i < n && found == NULL; i++)
		found = ofw_bus_find_child_device_by_phandle(buses[i], node);
	free(buses, M_TEMP);
	return (found);
}

static void
lookup(void *arg __unused, const char *name, device_t *devicep)
{
	struct detached *old;
	phandle_t node;

	if (*devicep != NULL)
		return;
	node = 0;
	sx_slock(&drm_os.devs_lock);
	LIST_FOREACH(old, &detached, link) {
		if (strcmp(old->name, name) == 0)
			node = old->node;
	}
	sx_sunlock(&drm_os.devs_lock);
	if (node == 0)
		return;
	*devicep = device_of_node("simplebus", node);
	if (*devicep == NULL)
		*devicep = device_of_node("ofwbus", node);
}

void
drm_newbus_init(void)
{

	lookup_tag = EVENTHANDLER_REGISTER(dev_lookup, lookup, NULL,
	    EVENTHANDLER_PRI_ANY);
}

void
drm_newbus_uninit(void)
{

	EVENTHANDLER_DEREGISTER(dev_lookup, lookup_tag);
	while (!LIST_EMPTY(&detached))
		detached_forget(LIST_FIRST(&detached)->node);
}

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
	drm_page_cache_destroy(&dev->page_cache);
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
	drm_page_cache_init(&dev->page_cache);
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
	detached_forget(ofw_bus_get_node(device));
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
	error = dev->driver->detach(dev->softc, drm_os.closed);
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
	drm_page_cache_close(&dev->page_cache);
	sc->dev = NULL;
	drm_dev_release(dev);
	if (!drm_os.closed)
		detached_remember(device);
	return (0);
}

/*
 * Power.  newbus calls these with its topology lock held, which is Giant and
 * is released during sleeps; dev->lock is not.
 */
static int
with_softc(device_t device, void (*method)(void *softc))
{
	struct drm_softc *sc = device_get_softc(device);
	struct drm_os_dev *dev = sc->dev;

	if (dev == NULL || method == NULL)
		return (0);
	drm_dev_hold(dev);
	sx_slock(&dev->lock);
	if (dev->softc != NULL)
		method(dev->softc);
	sx_sunlock(&dev->lock);
	drm_dev_release(dev);
	return (0);
}

int
drm_newbus_suspend(device_t device, const struct drm_os_driver *driver)
{

	return (with_softc(device, driver->suspend));
}

int
drm_newbus_resume(device_t device, const struct drm_os_driver *driver)
{

	return (with_softc(device, driver->resume));
}

int
drm_newbus_shutdown(device_t device, const struct drm_os_driver *driver)
{

	/* After a panic no other thread runs. */
	return (KERNEL_PANICKED() ? 0 : with_softc(device, driver->shutdown));
}

int
drm_newbus_quiesce(device_t device)
{
	struct drm_softc *sc = device_get_softc(device);

	return (sc->dev->opened != 0 ? EBUSY : 0);
}

int
drm_newbus_modevent(module_t mod, int what, void *arg)
{

	return (drm_unload_modevent(mod, what, arg, driver_module_handler));
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

/* No limit if the device reaches all memory. */
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
