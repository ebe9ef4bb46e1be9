/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux's page tables for Mali, as bench's iommu.rs calls them. */
#include <linux/io-pgtable.h>

static void flush(unsigned long iova, size_t size, size_t granule, void *cookie)
{
	++*(u64 *)cookie;
}
static void flush_page(struct iommu_iotlb_gather *g, unsigned long iova, size_t granule,
		       void *cookie)
{
	++*(u64 *)cookie;
}
static void flush_all(void *cookie) { ++*(u64 *)cookie; }

static const struct iommu_flush_ops tlb = {
	.tlb_flush_all = flush_all, .tlb_flush_walk = flush, .tlb_add_page = flush_page,
};
static u64 flushes;

PEER void *peer_table_new(void)
{
	struct io_pgtable_cfg cfg = {
		.pgsize_bitmap = SZ_4K | SZ_2M, .ias = 48, .oas = 40, .coherent_walk = true,
		.tlb = &tlb,
	};
	struct io_pgtable *iop = io_pgtable_arm_mali_lpae_init_fns.alloc(&cfg, &flushes);
	if (iop) {
		/* As alloc_io_pgtable_ops() of Linux does. */
		iop->fmt = ARM_MALI_LPAE;
		iop->cookie = &flushes;
		iop->cfg = cfg;
	}
	return iop;
}

PEER void peer_table_free(void *table) { io_pgtable_arm_mali_lpae_init_fns.free(table); }

PEER int peer_map(void *table, u64 iova, u64 pa, size_t page, size_t count)
{
	struct io_pgtable_ops *ops = &((struct io_pgtable *)table)->ops;
	while (count) {
		size_t mapped = 0;
		int error = ops->map_pages(ops, iova, pa, page, count,
					   IOMMU_READ | IOMMU_WRITE | IOMMU_NOEXEC,
					   GFP_KERNEL, &mapped);
		if (error)
			return error;
		iova += mapped;
		pa += mapped;
		count -= mapped / page;
	}
	return 0;
}

PEER size_t peer_unmap(void *table, u64 iova, size_t page, size_t count)
{
	struct io_pgtable_ops *ops = &((struct io_pgtable *)table)->ops;
	size_t sum = 0;
	while (sum < page * count) {
		size_t done = ops->unmap_pages(ops, iova + sum, page, count - sum / page, NULL);
		if (!done)
			break;
		sum += done;
	}
	return sum;
}

PEER u64 peer_lookup(void *table, u64 iova)
{
	struct io_pgtable_ops *ops = &((struct io_pgtable *)table)->ops;
	return ops->iova_to_phys(ops, iova);
}
