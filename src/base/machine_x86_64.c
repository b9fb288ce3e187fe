#include "base/machine.h"

static const struct machine_nop nops[] = {
	{CODE_ANY, 1, 1, {0x90}},
	{CODE_ANY, 5, 1, {0x0f, 0x1f, 0x44, 0x00, 0x00}}, /* of newer versions of sys/sdt.h */
};

/* In the order of enum machine_register. */
static const struct machine_register_desc registers[] = {
	{"ax", 80},  {"bx", 40},  {"cx", 88}, {"dx", 96}, {"si", 104}, {"di", 112},
	{"bp", 32},  {"sp", 152}, {"r8", 72}, {"r9", 64}, {"r10", 56}, {"r11", 48},
	{"r12", 24}, {"r13", 16}, {"r14", 8}, {"r15", 0}, {"ip", 128},
};

const struct machine_desc machine_x86_64 = {
	.machine = MACHINE_X86_64,
	.name = "x86-64",
	.kernel_name = "x86_64",
	.nops = nops,
	.nops_cnt = sizeof(nops) / sizeof(nops[0]),
	.first = REGISTER_AX,
	.pc = REGISTER_IP,
	.registers = registers,
	.trap = {0xcc}, /* int3 */
	.trap_bytes = 1,
	.trap_moves = 1,
};
