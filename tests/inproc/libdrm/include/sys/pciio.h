/* SPDX-License-Identifier: BSD-2-Clause */
/* What libdrm uses of FreeBSD's pci(4); answered by fake.c. */
#ifndef FAKE_SYS_PCIIO_H
#define	FAKE_SYS_PCIIO_H

#include <stdint.h>

#define	PCIOCGETCONF			0x7005UL

#define	PCI_GETCONF_ERROR		3
#define	PCI_GETCONF_MATCH_DOMAIN	0x01
#define	PCI_GETCONF_MATCH_BUS		0x02
#define	PCI_GETCONF_MATCH_DEV		0x04
#define	PCI_GETCONF_MATCH_FUNC		0x08

struct pcisel {
	uint32_t	pc_domain;
	uint8_t		pc_bus;
	uint8_t		pc_dev;
	uint8_t		pc_func;
};

struct pci_match_conf {
	struct pcisel	pc_sel;
	int		flags;
};

struct pci_conf {
	struct pcisel	pc_sel;
	uint16_t	pc_vendor;
	uint16_t	pc_device;
	uint16_t	pc_subvendor;
	uint16_t	pc_subdevice;
	uint8_t		pc_revid;
};

struct pci_conf_io {
	uint32_t	pat_buf_len;
	uint32_t	num_patterns;
	struct pci_match_conf *patterns;
	uint32_t	match_buf_len;
	uint32_t	num_matches;
	struct pci_conf	*matches;
	int		status;
};

#endif
