/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Power domains: their providers, consumers and counts.  There is one
 * sleepable lock: a GPU's domain is switched a few times a second at most, and
 * the sequences of a power controller must not interleave.
 */
#include <dev/drm/kpi/freebsd/power/power_impl.h>

struct power_entry {
	TAILQ_ENTRY(power_entry) link;
	phandle_t	 node;
	uint32_t	 id;
	const struct drm_power_ops *ops;
	void		*arg;
	bool		 provided;	/* by a device that is attached */
	u_int		 refs;		/* consumers */
	u_int		 on;
};

struct drm_power_domain {
	device_t	 dev;		/* the consumer */
	struct power_entry *entry;
	u_int		 on;
};

static TAILQ_HEAD(, power_entry) power_entries =
    TAILQ_HEAD_INITIALIZER(power_entries);
static struct sx power_lock;
SX_SYSINIT(drm_power, &power_lock, "drm power domains");

static struct power_entry *
power_find(phandle_t node, uint32_t id)
{
	struct power_entry *entry;

	sx_assert(&power_lock, SA_XLOCKED);
	TAILQ_FOREACH(entry, &power_entries, link) {
		if (entry->node == node && entry->id == id)
			return (entry);
	}
	return (NULL);
}

static struct power_entry *
power_add(phandle_t node, uint32_t id, const struct drm_power_ops *ops,
    void *arg)
{
	struct power_entry *entry;

	sx_assert(&power_lock, SA_XLOCKED);
	entry = malloc(sizeof(*entry), M_DRM, M_WAITOK | M_ZERO);
	entry->node = node;
	entry->id = id;
	entry->ops = ops;
	entry->arg = arg;
	TAILQ_INSERT_TAIL(&power_entries, entry, link);
	return (entry);
}

static void
power_free_unused(struct power_entry *entry)
{

	sx_assert(&power_lock, SA_XLOCKED);
	if (entry->provided || entry->refs != 0)
		return;
	TAILQ_REMOVE(&power_entries, entry, link);
	entry->ops->release(entry->arg);
	free(entry, M_DRM);
}

void
drm_power_provide(phandle_t node, uint32_t id, const struct drm_power_ops *ops,
    void *arg)
{
	struct power_entry *entry;

	sx_xlock(&power_lock);
	entry = power_find(node, id);
	if (entry != NULL) {
		/*
		 * A second count of the domain would turn it off for a user.
		 */
		ops->release(arg);
	} else
		entry = power_add(node, id, ops, arg);
	entry->provided = true;
	sx_xunlock(&power_lock);
}

void
drm_power_withdraw(phandle_t node, uint32_t id)
{
	struct power_entry *entry;

	sx_xlock(&power_lock);
	entry = power_find(node, id);
	if (entry != NULL) {
		entry->provided = false;
		power_free_unused(entry);
	}
	sx_xunlock(&power_lock);
}

/* The provider with a driver for a controller's node, or NULL. */
static const struct drm_power_provider *
power_provider_of(phandle_t node)
{
	const struct drm_power_provider *provider;
	size_t i;

	for (i = 0; i < drm_power_nproviders; i++) {
		provider = drm_power_providers[i];
		if (provider->driver != NULL &&
		    ofw_bus_node_is_compatible(node, provider->compatible))
			return (provider);
	}
	return (NULL);
}

/* The error for a domain that is not provided here. */
static int
power_absent(device_t dev, phandle_t node)
{
	const struct drm_power_provider *provider;
	device_t holder;

	holder = drm_node_device(node);
	provider = power_provider_of(node);
	if (holder == NULL || provider == NULL) {
		device_printf(dev,
		    "power domain controller has no driver, assumed on\n");
		return (ENOENT);
	}
	if (!device_is_attached(holder))
		return (EAGAIN);
	if (strcmp(device_get_name(holder), provider->driver) == 0) {
		device_printf(dev, "%s does not provide the power domain\n",
		    device_get_nameunit(holder));
		return (ENXIO);
	}
	device_printf(dev, "power domain is managed by %s, assumed on\n",
	    device_get_nameunit(holder));
	return (ENOENT);
}

static int
power_lookup(device_t dev, phandle_t node, uint32_t id,
    struct power_entry **entryp)
{
	const struct drm_power_provider *provider;
	const struct drm_power_ops *ops;
	void *arg;
	size_t i;
	int error;

	*entryp = power_find(node, id);
	if (*entryp != NULL)
		return (0);
	for (i = 0; i < drm_power_nproviders; i++) {
		provider = drm_power_providers[i];
		if (provider->is_domain == NULL || !provider->is_domain(node))
			continue;
		error = provider->make(dev, node, id, &ops, &arg);
		if (error == 0)
			*entryp = power_add(node, id, ops, arg);
		return (error);
	}
	return (power_absent(dev, node));
}

int
drm_power_get(device_t dev, struct drm_power_domain **pdp)
{
	struct drm_power_domain *pd;
	struct power_entry *entry;
	phandle_t node, xref;
	pcell_t *cells;
	uint32_t id;
	int error, ncells;

	if (ofw_bus_parse_xref_list_alloc(ofw_bus_get_node(dev),
	    "power-domains", "#power-domain-cells", 0, &xref, &ncells,
	    &cells) != 0)
		return (ENOENT);
	node = OF_node_from_xref(xref);
	id = ncells == 1 ? cells[0] : 0;
	OF_prop_free(cells);
	if (ncells > 1)
		return (ENXIO);
	if (ncells == 0 &&
	    OF_getencprop(node, "reg", &id, sizeof(id)) != sizeof(id))
		id = 0;
	sx_xlock(&power_lock);
	error = power_lookup(dev, node, id, &entry);
	if (error == 0) {
		pd = malloc(sizeof(*pd), M_DRM, M_WAITOK | M_ZERO);
		pd->dev = dev;
		pd->entry = entry;
		entry->refs++;
		*pdp = pd;
	}
	sx_xunlock(&power_lock);
	return (error);
}

static int
power_off_locked(struct drm_power_domain *pd)
{
	struct power_entry *entry;
	int error;

	sx_assert(&power_lock, SA_XLOCKED);
	entry = pd->entry;
	pd->on--;
	if (--entry->on != 0)
		return (0);
	error = entry->ops->off(entry->arg);
	if (error != 0)
		device_printf(pd->dev,
		    "cannot turn the power domain off: error %d\n", error);
	return (error);
}

int
drm_power_on(struct drm_power_domain *pd)
{
	struct power_entry *entry;
	int error;

	entry = pd->entry;
	error = 0;
	sx_xlock(&power_lock);
	if (entry->on == 0)
		error = entry->ops->on(entry->arg);
	if (error == 0) {
		entry->on++;
		pd->on++;
	} else
		device_printf(pd->dev,
		    "cannot turn the power domain on: error %d\n", error);
	sx_xunlock(&power_lock);
	return (error);
}

int
drm_power_off(struct drm_power_domain *pd)
{
	int error;

	sx_xlock(&power_lock);
	KASSERT(pd->on > 0, ("%s: not on", __func__));
	error = power_off_locked(pd);
	sx_xunlock(&power_lock);
	return (error);
}

void
drm_power_put(struct drm_power_domain *pd)
{

	sx_xlock(&power_lock);
	while (pd->on > 0)
		(void)power_off_locked(pd);
	pd->entry->refs--;
	power_free_unused(pd->entry);
	sx_xunlock(&power_lock);
	free(pd, M_DRM);
}
