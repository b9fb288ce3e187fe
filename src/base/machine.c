#include "base/machine.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct machine_desc *const with_probes[] = {&machine_x86_64, &machine_aarch64};

/* Big-endian files for ARM have code in either order. */
static const struct machine_nop i386_nops[] = {{CODE_ANY, 1, 1, {0x90}}};
static const struct machine_nop arm_nops[] = {
	{CODE_ANY, 4, 4, {0x00, 0xf0, 0x20, 0xe3}}, /* nop */
	{CODE_BIG, 4, 4, {0xe3, 0x20, 0xf0, 0x00}},
	{CODE_ANY, 4, 4, {0x00, 0x00, 0xa0, 0xe1}}, /* mov r0, r0 */
	{CODE_BIG, 4, 4, {0xe1, 0xa0, 0x00, 0x00}},
	{CODE_ANY, 2, 2, {0x00, 0xbf}}, /* Thumb's nop */
	{CODE_BIG, 2, 2, {0xbf, 0x00}},
	{CODE_ANY, 2, 2, {0xc0, 0x46}}, /* Thumb's mov r8, r8 */
	{CODE_BIG, 2, 2, {0x46, 0xc0}},
};
static const struct machine_nop riscv_nops[] = {
	{CODE_ANY, 4, 2, {0x13, 0x00, 0x00, 0x00}},
	{CODE_ANY, 2, 2, {0x01, 0x00}},
};
static const struct machine_nop ppc_nops[] = {
	{CODE_BIG, 4, 4, {0x60, 0x00, 0x00, 0x00}},
	{CODE_LITTLE, 4, 4, {0x00, 0x00, 0x00, 0x60}},
};
static const struct machine_nop s390_nops[] = {{CODE_ANY, 4, 2, {0x47, 0x00, 0x00, 0x00}}};
static const struct machine_nop loongarch_nops[] = {{CODE_ANY, 4, 4, {0x00, 0x00, 0x40, 0x03}}};

/* Of machines without probes. */
static const struct {
	const struct machine_nop *nops;
	size_t cnt;
} other_nops[] = {
	[MACHINE_I386] = {i386_nops, COUNT(i386_nops)},
	[MACHINE_ARM] = {arm_nops, COUNT(arm_nops)},
	[MACHINE_RISCV] = {riscv_nops, COUNT(riscv_nops)},
	[MACHINE_PPC] = {ppc_nops, COUNT(ppc_nops)},
	[MACHINE_S390] = {s390_nops, COUNT(s390_nops)},
	[MACHINE_LOONGARCH] = {loongarch_nops, COUNT(loongarch_nops)},
	[MACHINE_OTHER] = {NULL, 0},
};

const struct machine_desc *
machine_of_register(enum machine_register id)
{
	for (size_t i = 0; i < COUNT(with_probes); i++)
		if (machine_has_register(with_probes[i], id))
			return with_probes[i];
	return NULL;
}

const struct machine_desc *
machine_native(void)
{
#if defined(__x86_64__) && defined(__LP64__)
	return &machine_x86_64;
#elif defined(__aarch64__) && defined(__LP64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return &machine_aarch64;
#else
	return NULL;
#endif
}

const char *
machine_names(void)
{
	return "x86-64 and aarch64";
}

bool
machine_has_register(const struct machine_desc *desc, enum machine_register id)
{
	return id >= desc->first && id <= desc->pc;
}

const struct machine_register_desc *
machine_register(const struct machine_desc *desc, enum machine_register id)
{
	return &desc->registers[id - desc->first];
}

static const struct machine_nop *
find_nops(enum machine machine, size_t *cnt)
{
	for (size_t i = 0; i < COUNT(with_probes); i++)
		if (with_probes[i]->machine == machine) {
			*cnt = with_probes[i]->nops_cnt;
			return with_probes[i]->nops;
		}
	*cnt = other_nops[machine].cnt;
	return other_nops[machine].nops;
}

size_t
machine_nop_bytes(enum machine machine, bool is_big_endian, uint64_t address, const uint8_t *bytes,
		  size_t cnt)
{
	enum code_order order = is_big_endian ? CODE_BIG : CODE_LITTLE;
	size_t nops_cnt;
	const struct machine_nop *nops = find_nops(machine, &nops_cnt);

	for (size_t i = 0; i < nops_cnt; i++)
		if ((nops[i].order == CODE_ANY || nops[i].order == order) &&
		    address % nops[i].alignment == 0 && nops[i].cnt <= cnt &&
		    !memcmp(bytes, nops[i].bytes, nops[i].cnt))
			return nops[i].cnt;
	return 0;
}

bool
machine_has_nops(enum machine machine)
{
	size_t cnt;

	return find_nops(machine, &cnt) != NULL;
}
