#include "base/machine.h"

static const struct machine_nop nops[] = {{CODE_ANY, 4, 4, {0x1f, 0x20, 0x03, 0xd5}}};

/* In the order of enum machine_register. */
static const struct machine_register_desc registers[] = {
	{"regs[0]", 0},    {"regs[1]", 8},    {"regs[2]", 16},   {"regs[3]", 24},   {"regs[4]", 32},
	{"regs[5]", 40},   {"regs[6]", 48},   {"regs[7]", 56},   {"regs[8]", 64},   {"regs[9]", 72},
	{"regs[10]", 80},  {"regs[11]", 88},  {"regs[12]", 96},  {"regs[13]", 104}, {"regs[14]", 112},
	{"regs[15]", 120}, {"regs[16]", 128}, {"regs[17]", 136}, {"regs[18]", 144}, {"regs[19]", 152},
	{"regs[20]", 160}, {"regs[21]", 168}, {"regs[22]", 176}, {"regs[23]", 184}, {"regs[24]", 192},
	{"regs[25]", 200}, {"regs[26]", 208}, {"regs[27]", 216}, {"regs[28]", 224}, {"regs[29]", 232},
	{"regs[30]", 240}, {"sp", 248},       {"pc", 256},
};

/* Processors run a nop that is just becoming a brk, or the other way round, as either of the two. The kernel's uprobes
 * have another brk, with a number. */
const struct machine_desc machine_aarch64 = {
	.machine = MACHINE_AARCH64,
	.name = "aarch64",
	.kernel_name = "aarch64",
	.nops = nops,
	.nops_cnt = sizeof(nops) / sizeof(nops[0]),
	.first = REGISTER_X0,
	.pc = REGISTER_A64_PC,
	.registers = registers,
	.trap = {0x00, 0x00, 0x20, 0xd4}, /* brk #0 */
	.trap_bytes = 4,
	.trap_moves = 0,
};
