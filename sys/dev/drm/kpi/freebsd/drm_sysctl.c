/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * sysctl(8): a device's statistics and crash dump below dev.NAME.UNIT, and
 * what libdrm reads below hw.dri.N and dev.drm.N.
 */
#include "drm_glue.h"

#include <sys/priv.h>

#include <dev/ofw/openfirm.h>
#include <dev/ofw/ofw_bus.h>

static int
stat_handler(SYSCTL_HANDLER_ARGS)
{
	struct drm_os_dev *dev = arg1;
	const char *name;
	uint64_t value;
	int error;

	error = ENXIO;
	sx_slock(&dev->lock);
	if (dev->softc != NULL)
		error = dev->driver->stat(dev->softc, arg2, &name, &value);
	sx_sunlock(&dev->lock);
	if (error == 0)
		error = sysctl_handle_64(oidp, &value, 0, req);
	return (error);
}

static int
dump_handler(SYSCTL_HANDLER_ARGS)
{
	struct drm_os_dev *dev = arg1;
	char *buf;
	uint64_t off;
	size_t len;
	int error;

	/* It has memory of the client that hung the GPU. */
	error = priv_check(req->td, PRIV_DRIVER);
	if (error != 0)
		return (error);
	buf = malloc(PAGE_SIZE, M_DRM, M_WAITOK);
	for (off = 0; error == 0; off += len) {
		len = 0;
		sx_slock(&dev->lock);
		if (dev->softc != NULL)
			len = dev->driver->dump(dev->softc, off, buf, PAGE_SIZE);
		sx_sunlock(&dev->lock);
		if (len == 0)
			break;
		error = SYSCTL_OUT(req, buf, len);
	}
	free(buf, M_DRM);
	return (error);
}

static int
dump_clear_handler(SYSCTL_HANDLER_ARGS)
{
	struct drm_os_dev *dev = arg1;
	int error, value;

	value = 0;
	error = sysctl_handle_int(oidp, &value, 0, req);
	if (error != 0 || req->newptr == NULL || value == 0)
		return (error);
	sx_slock(&dev->lock);
	if (dev->softc != NULL)
		dev->driver->dump_clear(dev->softc);
	sx_sunlock(&dev->lock);
	return (0);
}

static void
add_stats(struct drm_os_dev *dev, struct sysctl_oid_list *list)
{
	const char *name;
	uint64_t value;
	uint32_t i;

	for (i = 0; dev->driver->stat(dev->softc, i, &name, &value) == 0; i++)
		SYSCTL_ADD_PROC(&dev->sysctls, list, OID_AUTO, name,
		    CTLTYPE_U64 | CTLFLAG_RD | CTLFLAG_MPSAFE, dev, i,
		    stat_handler, "QU", "");
}

/*
 * The compatible strings of a device tree node, separated by spaces: as many
 * as fit.
 */
static void
read_compatible(device_t dev, char *names, size_t size)
{
	ssize_t len, i;

	len = OF_getprop(ofw_bus_get_node(dev), "compatible", names, size);
	len = MIN(len, (ssize_t)size);
	while (len > 0 && names[len - 1] != '\0')
		len--;
	if (len <= 0) {
		names[0] = '\0';
		return;
	}
	for (i = 0; i < len - 1; i++) {
		if (names[i] == '\0')
			names[i] = ' ';
	}
}

/* The sysctls that libdrm reads for a node's minor number. */
static void
add_node(struct drm_os_dev *dev, struct sysctl_oid_list *drm, int minor,
    int type)
{
	struct sysctl_oid *oid;
	char number[8];

	snprintf(number, sizeof(number), "%d", minor);
	oid = SYSCTL_ADD_NODE(&dev->sysctls, drm, OID_AUTO, number,
	    CTLFLAG_RD | CTLFLAG_MPSAFE, NULL, "");
	SYSCTL_ADD_CONST_STRING(&dev->sysctls, SYSCTL_CHILDREN(oid), OID_AUTO,
	    "busid", CTLFLAG_RD, dev->busid, "where the device is");
	if (dev->compatible[0] != '\0')
		SYSCTL_ADD_CONST_STRING(&dev->sysctls, SYSCTL_CHILDREN(oid),
		    OID_AUTO, "compatible", CTLFLAG_RD, dev->compatible,
		    "compatible strings of the device tree node");
	SYSCTL_ADD_INT(&dev->sysctls, SYSCTL_CHILDREN(oid), OID_AUTO, "type",
	    CTLFLAG_RD, NULL, type, "0: primary node, 2: render node");
}

static void
add_dri(struct drm_os_dev *dev)
{
	struct sysctl_oid *card, *drm, *dri;
	char number[8];

	snprintf(dev->busid, sizeof(dev->busid), "platform:%s",
	    ofw_bus_get_name(dev->dev));
	read_compatible(dev->dev, dev->compatible, sizeof(dev->compatible));
	snprintf(dev->title, sizeof(dev->title), "%s 0x%x",
	    dev->driver->name, dev->index);
	snprintf(number, sizeof(number), "%d", dev->index);
	/* The parent nodes may exist; they are shared then. */
	dri = SYSCTL_ADD_NODE(&dev->sysctls, SYSCTL_STATIC_CHILDREN(_hw),
	    OID_AUTO, "dri", CTLFLAG_RD | CTLFLAG_MPSAFE, NULL, "DRM devices");
	card = SYSCTL_ADD_NODE(&dev->sysctls, SYSCTL_CHILDREN(dri), OID_AUTO,
	    number, CTLFLAG_RD | CTLFLAG_MPSAFE, NULL, "");
	SYSCTL_ADD_CONST_STRING(&dev->sysctls, SYSCTL_CHILDREN(card), OID_AUTO,
	    "name", CTLFLAG_RD, dev->title, "driver and device");
	SYSCTL_ADD_CONST_STRING(&dev->sysctls, SYSCTL_CHILDREN(card), OID_AUTO,
	    "busid", CTLFLAG_RD, dev->busid, "where the device is");
	SYSCTL_ADD_INT(&dev->sysctls, SYSCTL_CHILDREN(card), OID_AUTO,
	    "modesetting", CTLFLAG_RD, NULL, 0, "the device has displays");
	drm = SYSCTL_ADD_NODE(&dev->sysctls, SYSCTL_STATIC_CHILDREN(_dev),
	    OID_AUTO, "drm", CTLFLAG_RD | CTLFLAG_MPSAFE, NULL, "DRM nodes");
	add_node(dev, SYSCTL_CHILDREN(drm), dev->index, 0);
	add_node(dev, SYSCTL_CHILDREN(drm), 128 + dev->index, 2);
}

void
drm_dev_sysctls(struct drm_os_dev *dev)
{
	struct sysctl_oid_list *list;

	sysctl_ctx_init(&dev->sysctls);
	list = SYSCTL_CHILDREN(device_get_sysctl_tree(dev->dev));
	if (dev->driver->stat != NULL)
		add_stats(dev, list);
	if (dev->driver->dump != NULL) {
		SYSCTL_ADD_PROC(&dev->sysctls, list, OID_AUTO, "dump",
		    CTLTYPE_OPAQUE | CTLFLAG_RD | CTLFLAG_MPSAFE, dev, 0, dump_handler, "",
		    "crash dump of the first GPU hang");
		SYSCTL_ADD_PROC(&dev->sysctls, list, OID_AUTO, "dump_clear",
		    CTLTYPE_INT | CTLFLAG_RW | CTLFLAG_MPSAFE, dev, 0,
		    dump_clear_handler, "I",
		    "write 1 to free the dump and keep the next");
	}
	drm_dev_power_sysctls(dev, list);
	/* A device tree node that joined a device has no device nodes. */
	if (dev->index >= 0)
		add_dri(dev);
}
