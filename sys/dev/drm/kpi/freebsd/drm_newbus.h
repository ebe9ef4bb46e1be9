/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The newbus(9) glue of the module's drivers: the same methods with different
 * tables.
 */
#ifndef _DRM_NEWBUS_H_
#define	_DRM_NEWBUS_H_

int	drm_newbus_probe(device_t device, const struct drm_os_driver *driver);
int	drm_newbus_attach(device_t device, const struct drm_os_driver *driver);
int	drm_newbus_detach(device_t device);
int	drm_newbus_quiesce(device_t device);
int	drm_newbus_suspend(device_t device, const struct drm_os_driver *driver);
int	drm_newbus_resume(device_t device, const struct drm_os_driver *driver);
int	drm_newbus_shutdown(device_t device, const struct drm_os_driver *driver);
int	drm_newbus_modevent(module_t mod, int what, void *arg);

/*
 * Driver NAME on bus BUS.  As DRIVER_MODULE(), except that
 * drm_newbus_modevent() handles the events first.
 */
#define	DRM_DRIVER_MODULE(name, bus, driver)				\
static struct driver_module_data name##_##bus##_driver_mod = {		\
	NULL, NULL, #bus, (kobj_class_t)&driver, NULL, BUS_PASS_DEFAULT	\
};									\
static moduledata_t name##_##bus##_mod = {				\
	#bus "/" #name, drm_newbus_modevent, &name##_##bus##_driver_mod	\
};									\
DECLARE_MODULE(name##_##bus, name##_##bus##_mod, SI_SUB_DRIVERS,	\
    SI_ORDER_MIDDLE)

/*
 * All of driver NAME with the table TABLE; COMPAT is a struct ofw_compat_data
 * array of its device tree names, for devmatch(8).
 */
#define	DRM_DRIVER(name, table, compat)					\
static int								\
name##_probe(device_t device)						\
{									\
									\
	return (drm_newbus_probe(device, (table)));			\
}									\
									\
static int								\
name##_attach(device_t device)						\
{									\
									\
	return (drm_newbus_attach(device, (table)));			\
}									\
									\
static int								\
name##_suspend(device_t device)						\
{									\
									\
	return (drm_newbus_suspend(device, (table)));			\
}									\
									\
static int								\
name##_resume(device_t device)						\
{									\
									\
	return (drm_newbus_resume(device, (table)));			\
}									\
									\
static int								\
name##_shutdown(device_t device)						\
{									\
									\
	return (drm_newbus_shutdown(device, (table)));			\
}									\
									\
static device_method_t name##_methods[] = {				\
	DEVMETHOD(device_probe, name##_probe),				\
	DEVMETHOD(device_attach, name##_attach),			\
	DEVMETHOD(device_detach, drm_newbus_detach),			\
	DEVMETHOD(device_quiesce, drm_newbus_quiesce),			\
	DEVMETHOD(device_suspend, name##_suspend),			\
	DEVMETHOD(device_resume, name##_resume),			\
	DEVMETHOD(device_shutdown, name##_shutdown),			\
	DEVMETHOD_END							\
};									\
									\
static driver_t name##_newbus = {					\
	#name, name##_methods, sizeof(void *)				\
};									\
									\
DRM_DRIVER_MODULE(name, simplebus, name##_newbus);			\
DRM_DRIVER_MODULE(name, ofwbus, name##_newbus);				\
MODULE_VERSION(name, 1);						\
MODULE_DEPEND(name, drmkpi, 1, 1, 1);					\
SIMPLEBUS_PNP_INFO(compat)						\
OFWBUS_PNP_INFO(compat)

#endif /* _DRM_NEWBUS_H_ */
