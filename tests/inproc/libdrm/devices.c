/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests how libdrm enumerates devices with the nodes and sysctls of drmkpi.
 * Prints a line for each case, `NAME: ok` or `NAME: FAILED: WHAT`, and fails if
 * one fails.
 * drmkpi's nodes are /dev/drm/N, and those in /dev/dri are links to them.
 */
#include <xf86drm.h>
#include <xf86drmMode.h>

#define	PLATFORM(i, name)						\
	{ .oid = "hw.dri." #i ".busid", .string = "platform:" name },	\
	{ .oid = "hw.dri." #i ".modesetting", .number = 0 }

#define	CHECK(what) do {						\
	if (!(what)) {							\
		printf("%s: FAILED: %s\n", name, #what);		\
		return (1);						\
	}								\
} while (0)

static const struct fake_node one_gpu[] = {
	{ "card0", "drm/0", 0 },
	{ "renderD128", "drm/128", 128 },
	{ NULL },
};

/* "compatible" is for kernels that report it; drmkpi does not. */
static const struct fake_sysctl rk3399[] = {
	PLATFORM(0, "gpu@ff9a0000"),
	{ .oid = "hw.dri.0.name", .string = "panfrost 0x0" },
	{ .oid = "hw.dri.0.compatible",
	    .string = "rockchip,rk3399-mali arm,mali-t860" },
	{ .oid = "dev.drm.0.busid", .string = "platform:gpu@ff9a0000" },
	{ .oid = "dev.drm.0.type", .number = 0 },
	{ .oid = "dev.drm.128.busid", .string = "platform:gpu@ff9a0000" },
	{ .oid = "dev.drm.128.type", .number = 2 },
	{ NULL },
};

/* As drm-kmod has it. */
static const struct fake_sysctl pci[] = {
	{ .oid = "hw.dri.0.busid", .string = "pci:0000:01:00.0" },
	{ .oid = "hw.dri.0.modesetting", .number = 1 },
	{ NULL },
};

/* Two GPUs, the second without a render node, beside one on PCI. */
static const struct fake_node three_gpus[] = {
	{ "card0", "drm/0", 0 },
	{ "card1", "drm/1", 1 },
	{ "card2", "drm/2", 2 },
	{ "renderD128", "drm/128", 128 },
	{ "renderD130", "drm/130", 130 },
	{ NULL },
};

static const struct fake_sysctl three[] = {
	PLATFORM(0, "gpu@130000"),
	PLATFORM(1, "gpu@134000"),
	{ .oid = "hw.dri.2.busid", .string = "pci:0000:01:00.0" },
	{ .oid = "hw.dri.2.modesetting", .number = 1 },
	{ NULL },
};

/* Numbers by minor only, and not those that a pair of nodes would have. */
static const struct fake_node odd_pair[] = {
	{ "card1", "drm/1", 1 },
	{ "renderD128", "drm/128", 128 },
	{ NULL },
};

static const struct fake_sysctl by_minor[] = {
	{ .oid = "dev.drm.1.busid", .string = "platform:gpu@ff9a0000" },
	{ .oid = "dev.drm.128.busid", .string = "platform:gpu@ff9a0000" },
	{ NULL },
};

static const int both = 1 << DRM_NODE_PRIMARY | 1 << DRM_NODE_RENDER;

static int
is(const char *is, const char *should)
{
	return (is != NULL && strcmp(is, should) == 0);
}

static int
platform_gpu(const char *name)
{
	drmDevicePtr d[4];
	char **compatible;

	CHECK(drmGetDevices2(0, NULL, 0) == 1);
	CHECK(drmGetDevices2(0, d, 4) == 1);
	CHECK(d[0]->bustype == DRM_BUS_PLATFORM);
	CHECK(d[0]->available_nodes == both);
	CHECK(is(d[0]->nodes[DRM_NODE_PRIMARY], "/dev/dri/card0"));
	CHECK(is(d[0]->nodes[DRM_NODE_RENDER], "/dev/dri/renderD128"));
	CHECK(is(d[0]->businfo.platform->fullname, "gpu@ff9a0000"));
	compatible = d[0]->deviceinfo.platform->compatible;
	CHECK(is(compatible[0], "rockchip,rk3399-mali"));
	CHECK(is(compatible[1], "arm,mali-t860"));
	CHECK(compatible[2] == NULL);
	drmFreeDevices(d, 1);
	return (0);
}

static int
device_of_a_file(const char *name)
{
	static const char *paths[] = { "/dev/dri/card0", "/dev/dri/renderD128" };
	drmDevicePtr d;
	int i;

	for (i = 0; i < 2; i++) {
		CHECK(drmGetDevice2(fake_fd(paths[i]), 0, &d) == 0);
		CHECK(d->bustype == DRM_BUS_PLATFORM);
		CHECK(d->available_nodes == both);
		drmFreeDevice(&d);
	}
	return (0);
}

static int
names_of_a_file(const char *name)
{
	int card = fake_fd("/dev/dri/card0");
	int render = fake_fd("/dev/dri/renderD128");
	char *path;

	CHECK(drmGetNodeTypeFromFd(card) == DRM_NODE_PRIMARY);
	CHECK(drmGetNodeTypeFromFd(render) == DRM_NODE_RENDER);
	CHECK(is(path = drmGetRenderDeviceNameFromFd(card),
	    "/dev/dri/renderD128"));
	free(path);
	CHECK(is(path = drmGetPrimaryDeviceNameFromFd(render),
	    "/dev/dri/card0"));
	free(path);
	CHECK(is(path = drmGetDeviceNameFromFd2(render), "/dev/dri/renderD128"));
	free(path);
	return (0);
}

static int
no_modes(const char *name)
{
	CHECK(drmCheckModesettingSupported("platform:gpu@ff9a0000") == -ENOSYS);
	return (0);
}

static int
pci_gpu(const char *name)
{
	drmDevicePtr d[4];

	CHECK(drmGetDevices2(0, d, 4) == 1);
	CHECK(d[0]->bustype == DRM_BUS_PCI);
	CHECK(d[0]->available_nodes == both);
	CHECK(d[0]->businfo.pci->bus == 1);
	CHECK(d[0]->deviceinfo.pci->vendor_id == 0x1002);
	CHECK(drmCheckModesettingSupported("pci:0000:01:00.0") == 0);
	drmFreeDevices(d, 1);
	return (0);
}

static int
mixed_gpus(const char *name)
{
	drmDevicePtr d[4];

	CHECK(drmGetDevices2(0, d, 4) == 3);
	CHECK(is(d[0]->businfo.platform->fullname, "gpu@130000"));
	CHECK(d[0]->available_nodes == both);
	CHECK(is(d[0]->deviceinfo.platform->compatible[0], "gpu@130000"));
	CHECK(d[0]->deviceinfo.platform->compatible[1] == NULL);
	CHECK(is(d[1]->businfo.platform->fullname, "gpu@134000"));
	CHECK(d[1]->available_nodes == 1 << DRM_NODE_PRIMARY);
	CHECK(d[2]->bustype == DRM_BUS_PCI);
	CHECK(d[2]->available_nodes == both);
	drmFreeDevices(d, 3);
	return (0);
}

static int
no_render_node(const char *name)
{
	char *path;

	CHECK(drmGetRenderDeviceNameFromFd(fake_fd("/dev/dri/card1")) == NULL);
	CHECK(is(path = drmGetRenderDeviceNameFromFd(
	    fake_fd("/dev/dri/card2")), "/dev/dri/renderD130"));
	free(path);
	return (0);
}

static int
unpaired_gpu(const char *name)
{
	drmDevicePtr d[4];

	CHECK(drmGetDevices2(0, d, 4) == 1);
	CHECK(d[0]->available_nodes == both);
	CHECK(is(d[0]->nodes[DRM_NODE_PRIMARY], "/dev/dri/card1"));
	drmFreeDevices(d, 1);
	return (0);
}

static const struct {
	const char	*name;
	int		(*run)(const char *name);
	struct fake	 fake;
} cases[] = {
	{ "pci_gpu", pci_gpu, { one_gpu, pci } },
	{ "no_modes", no_modes, { one_gpu, rk3399 } },
	{ "names_of_a_file", names_of_a_file, { one_gpu, rk3399 } },
	{ "platform_gpu", platform_gpu, { one_gpu, rk3399 } },
	{ "device_of_a_file", device_of_a_file, { one_gpu, rk3399 } },
	{ "mixed_gpus", mixed_gpus, { three_gpus, three } },
	{ "no_render_node", no_render_node, { three_gpus, three } },
	{ "unpaired_gpu", unpaired_gpu, { odd_pair, by_minor } },
};

int
main(void)
{
	size_t i;
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake = &cases[i].fake;
		if (cases[i].run(cases[i].name) == 0)
			printf("%s: ok\n", cases[i].name);
		else
			failed = 1;
	}
	return (failed);
}
