/* What is known of the machines with probes, and of the nops of all. */
#include "base/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/user.h>

#include <cmocka.h>

static void
test_x86_64(void **state)
{
	const struct machine_desc *machine = &machine_x86_64;

	(void)state;
	assert_int_equal(machine->trap_bytes, 1);
	assert_int_equal(machine->trap[0], 0xcc);
	assert_int_equal(machine->trap_moves, 1);
	assert_string_equal(machine->kernel_name, "x86_64");
	assert_int_equal(machine->pc - machine->first, 16);
	assert_string_equal(machine_register(machine, REGISTER_R15)->context_name, "r15");
	assert_string_equal(machine_register(machine, REGISTER_IP)->context_name, "ip");
	assert_ptr_equal(machine_of_register(REGISTER_AX), machine);
	assert_ptr_equal(machine_of_register(REGISTER_IP), machine);
#if defined(__x86_64__) && defined(__LP64__)
	static const struct {
		enum machine_register id;
		size_t offset;
	} rows[] = {
		{REGISTER_AX, offsetof(struct user_regs_struct, rax)},
		{REGISTER_BX, offsetof(struct user_regs_struct, rbx)},
		{REGISTER_CX, offsetof(struct user_regs_struct, rcx)},
		{REGISTER_DX, offsetof(struct user_regs_struct, rdx)},
		{REGISTER_SI, offsetof(struct user_regs_struct, rsi)},
		{REGISTER_DI, offsetof(struct user_regs_struct, rdi)},
		{REGISTER_BP, offsetof(struct user_regs_struct, rbp)},
		{REGISTER_SP, offsetof(struct user_regs_struct, rsp)},
		{REGISTER_R8, offsetof(struct user_regs_struct, r8)},
		{REGISTER_R9, offsetof(struct user_regs_struct, r9)},
		{REGISTER_R10, offsetof(struct user_regs_struct, r10)},
		{REGISTER_R11, offsetof(struct user_regs_struct, r11)},
		{REGISTER_R12, offsetof(struct user_regs_struct, r12)},
		{REGISTER_R13, offsetof(struct user_regs_struct, r13)},
		{REGISTER_R14, offsetof(struct user_regs_struct, r14)},
		{REGISTER_R15, offsetof(struct user_regs_struct, r15)},
		{REGISTER_IP, offsetof(struct user_regs_struct, rip)},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(machine_register(machine, rows[i].id)->user_offset, rows[i].offset);
	assert_ptr_equal(machine_native(), machine);
#endif
}

static void
test_aarch64(void **state)
{
	static const uint8_t brk[] = {0x00, 0x00, 0x20, 0xd4}; /* 0xd4200000 */
	const struct machine_desc *machine = &machine_aarch64;

	(void)state;
	assert_int_equal(machine->trap_bytes, 4);
	assert_memory_equal(machine->trap, brk, 4);
	assert_int_equal(machine->trap_moves, 0);
	assert_string_equal(machine->kernel_name, "aarch64");
	assert_int_equal(machine->pc - machine->first, 32);
	/* struct user_pt_regs: regs[31], sp, pc, pstate */
	for (unsigned n = 0; n < 31; n++) {
		enum machine_register id = (enum machine_register)(REGISTER_X0 + n);
		char name[16];

		snprintf(name, sizeof(name), "regs[%u]", n);
		assert_string_equal(machine_register(machine, id)->context_name, name);
		assert_int_equal(machine_register(machine, id)->user_offset, 8 * n);
		assert_ptr_equal(machine_of_register(id), machine);
	}
	assert_string_equal(machine_register(machine, REGISTER_A64_SP)->context_name, "sp");
	assert_int_equal(machine_register(machine, REGISTER_A64_SP)->user_offset, 248);
	assert_string_equal(machine_register(machine, REGISTER_A64_PC)->context_name, "pc");
	assert_int_equal(machine_register(machine, REGISTER_A64_PC)->user_offset, 256);
#if defined(__aarch64__)
	assert_int_equal(offsetof(struct user_regs_struct, sp), 248);
	assert_int_equal(offsetof(struct user_regs_struct, pc), 256);
	assert_ptr_equal(machine_native(), machine);
#endif
}

static void
test_no_register(void **state)
{
	(void)state;
	assert_null(machine_of_register(REGISTER_NONE));
	assert_false(machine_has_register(&machine_x86_64, REGISTER_X0));
	assert_false(machine_has_register(&machine_x86_64, REGISTER_NONE));
	assert_false(machine_has_register(&machine_aarch64, REGISTER_IP));
	assert_non_null(strstr(machine_names(), machine_x86_64.name));
	assert_non_null(strstr(machine_names(), machine_aarch64.name));
}

static void
test_nops(void **state)
{
	static const struct {
		enum machine machine;
		bool is_big_endian;
		uint64_t address;
		uint8_t bytes[5];
		size_t cnt, want;
	} rows[] = {
		{MACHINE_X86_64, false, 0x1001, {0x90}, 1, 1},
		{MACHINE_X86_64, false, 0x1001, {0x0f, 0x1f, 0x44, 0x00, 0x00}, 5, 5},
		{MACHINE_X86_64, false, 0x1001, {0x0f, 0x1f, 0x44, 0x00, 0x00}, 4, 0},
		{MACHINE_X86_64, false, 0x1001, {0x0f, 0x1f, 0x44, 0x00, 0x01}, 5, 0},
		{MACHINE_X86_64, false, 0x1001, {0xcc, 0x90}, 5, 0},
		{MACHINE_X86_64, false, 0x1001, {0x90}, 0, 0},
		{MACHINE_AARCH64, false, 0x1004, {0x1f, 0x20, 0x03, 0xd5}, 4, 4},
		{MACHINE_AARCH64, true, 0x1004, {0x1f, 0x20, 0x03, 0xd5}, 5, 4},
		{MACHINE_AARCH64, false, 0x1002, {0x1f, 0x20, 0x03, 0xd5}, 4, 0},
		{MACHINE_AARCH64, false, 0x1004, {0x1f, 0x20, 0x03, 0xd5}, 3, 0},
		{MACHINE_AARCH64, false, 0x1004, {0xa0, 0x00, 0x20, 0xd4}, 4, 0}, /* the kernel's trap */
		{MACHINE_AARCH64, false, 0x1004, {0x00, 0x00, 0x20, 0xd4}, 4, 0},
		{MACHINE_PPC, true, 0x1004, {0x60, 0x00, 0x00, 0x00}, 4, 4},
		{MACHINE_PPC, false, 0x1004, {0x60, 0x00, 0x00, 0x00}, 4, 0},
		{MACHINE_PPC, false, 0x1004, {0x00, 0x00, 0x00, 0x60}, 4, 4},
		{MACHINE_RISCV, false, 0x1002, {0x01, 0x00}, 2, 2},
		{MACHINE_OTHER, false, 0x1000, {0x90}, 5, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(machine_nop_bytes(rows[i].machine, rows[i].is_big_endian, rows[i].address,
						   rows[i].bytes, rows[i].cnt),
				 rows[i].want);
	for (int machine = MACHINE_X86_64; machine < MACHINE_OTHER; machine++)
		assert_true(machine_has_nops((enum machine)machine));
	assert_false(machine_has_nops(MACHINE_OTHER));
}

/* What replaces the first bytes of a nop must fit into it, and differ from it in them. */
static void
test_traps_fit(void **state)
{
	static const struct machine_desc *const machines[] = {&machine_x86_64, &machine_aarch64};

	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < machines[i]->nops_cnt; k++) {
			const struct machine_nop *nop = &machines[i]->nops[k];

			assert_true(machines[i]->trap_bytes <= nop->cnt);
			assert_memory_not_equal(machines[i]->trap, nop->bytes, machines[i]->trap_bytes);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x86_64),      cmocka_unit_test(test_aarch64),
		cmocka_unit_test(test_no_register), cmocka_unit_test(test_nops),
		cmocka_unit_test(test_traps_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
