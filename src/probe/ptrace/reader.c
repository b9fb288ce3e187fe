#include "probe/ptrace/reader.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

enum { PAGE_BYTES = 4096 };

struct source {
	pid_t tid;
	uint64_t trap_address;
	const struct regs *regs;
};

static uint64_t
base_value(const struct source *source, uint8_t reg)
{
	if (reg == REGISTER_IP || reg == REGISTER_A64_PC)
		return source->trap_address;
	return regs_get(source->regs, (enum machine_register)reg);
}

static uint64_t
index_value(const struct source *source, const struct ptrace_operand *operand)
{
	uint64_t value = regs_get(source->regs, (enum machine_register)operand->index);

	switch ((enum operand_extension)operand->extension) {
	case EXTENSION_NONE:
		break;
	case EXTENSION_ZERO:
		return (uint32_t)value;
	case EXTENSION_SIGN:
		return (uint64_t)(int64_t)(int32_t)(uint32_t)value;
	}
	return value;
}

/* Returns the bytes read, from the start; fewer where memory ends. Unlike /proc/PID/mem this reads only what the
 * process itself may read. */
static size_t
read_memory(const struct source *source, uint64_t address, void *to, size_t bytes)
{
	struct iovec local = {.iov_base = to, .iov_len = bytes};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = bytes};
	ssize_t n = process_vm_readv(source->tid, &local, 1, &remote, 1, 0);

	return n > 0 ? (size_t)n : 0;
}

/* Reads that are done by one call. */
struct batch {
	struct iovec local[2 * SITE_ARGS_MAX], remote[2 * SITE_ARGS_MAX];
	struct record_arg *args[2 * SITE_ARGS_MAX];
	bool is_pointer[2 * SITE_ARGS_MAX];
	size_t cnt, bytes;
};

static void
batch_add(struct batch *batch, struct record_arg *arg, bool is_pointer, uint64_t address, void *to,
	  size_t bytes)
{
	size_t at = batch->cnt++;

	batch->local[at] = (struct iovec){.iov_base = to, .iov_len = bytes};
	batch->remote[at] = (struct iovec){.iov_base = (void *)(uintptr_t)address, .iov_len = bytes};
	batch->args[at] = arg;
	batch->is_pointer[at] = is_pointer;
	batch->bytes += bytes;
}

static void
fail_operand(struct record_arg *arg)
{
	arg->value = 0;
	arg->error = -EFAULT;
	arg->flags = RECORD_OPERAND_FAILED;
}

static void
fail_pointer(struct record_arg *arg)
{
	arg->error = -EFAULT;
	arg->flags = RECORD_POINTER_FAILED;
}

static void
batch_read(const struct source *source, struct batch *batch)
{
	ssize_t n = batch->cnt ? process_vm_readv(source->tid, batch->local, batch->cnt, batch->remote,
						  batch->cnt, 0)
			       : 0;
	bool has_all = n == (ssize_t)batch->bytes;

	for (size_t i = 0; i < batch->cnt; i++) {
		struct record_arg *arg = batch->args[i];
		size_t bytes = batch->local[i].iov_len;

		/* It stops at the first that cannot be read; those behind it may be readable. */
		if (!has_all && read_memory(source, (uint64_t)(uintptr_t)batch->remote[i].iov_base,
					    batch->local[i].iov_base, bytes) != bytes) {
			if (batch->is_pointer[i])
				fail_pointer(arg);
			else
				fail_operand(arg);
		} else if (batch->is_pointer[i]) {
			arg->len = (uint32_t)bytes;
		}
	}
	batch->cnt = batch->bytes = 0;
}

static uint64_t
cut_to_width(uint64_t value, uint8_t width_bytes)
{
	return width_bytes >= 8 ? value : value & ((UINT64_C(1) << 8 * width_bytes) - 1);
}

static void
read_operand(const struct source *source, const struct ptrace_operand *operand, struct record_arg *arg,
	     struct batch *batch)
{
	uint64_t address;

	*arg = (struct record_arg){0};
	switch ((enum operand_kind)operand->kind) {
	case OPERAND_UNREADABLE:
	case OPERAND_FOREIGN:
		arg->error = -ENODATA;
		arg->flags = RECORD_OPERAND_FAILED;
		break;
	case OPERAND_CONSTANT:
		arg->value = operand->constant;
		break;
	case OPERAND_REGISTER:
		arg->value = cut_to_width(base_value(source, operand->base) >> operand->shift_bits,
					  operand->width_bytes);
		break;
	case OPERAND_MEMORY:
		address = base_value(source, operand->base) + index_value(source, operand) * operand->scale +
			  (uint64_t)operand->displacement;
		batch_add(batch, arg, false, address, &arg->value, operand->width_bytes);
		break;
	}
}

/* The length of the string with its NUL, or how much of it was read; 0: it cannot be read. Page by page: most strings
 * are short, and what follows one may not be mapped. */
static size_t
read_string_bytes(const struct source *source, uint64_t address, char *to, size_t max)
{
	size_t got = 0;

	while (got < max) {
		size_t bytes = PAGE_BYTES - (address + got) % PAGE_BYTES;

		if (bytes > max - got)
			bytes = max - got;
		size_t n = read_memory(source, address + got, to + got, bytes);
		const char *end = memchr(to + got, '\0', n);
		if (end)
			return (size_t)(end - to) + 1;
		if (n < bytes)
			return 0;
		got += n;
	}
	return got;
}

static void
read_string(const struct source *source, const struct record_slot *slot, struct record *record,
	    struct record_arg *arg)
{
	char *to = (char *)record + slot->slot_offset;
	size_t got = read_string_bytes(source, arg->value, to, slot->slot_bytes);

	if (!got) {
		fail_pointer(arg);
		return;
	}
	arg->len = (uint32_t)got;
	if (got == slot->slot_bytes && to[got - 1]) {
		to[got - 1] = '\0';
		arg->flags = RECORD_CUT;
	}
}

static uint32_t
read_payload(const struct source *source, const struct record_slot *slot, struct record *record,
	     struct record_arg *arg)
{
	const struct record_arg *size = &record->args[slot->size_idx];
	bool is_cut = size->value > slot->slot_bytes;
	uint32_t bytes = is_cut ? slot->slot_bytes : (uint32_t)size->value;

	if (size->flags)
		return 0;
	if (bytes && read_memory(source, arg->value, (char *)record + slot->slot_offset, bytes) != bytes) {
		fail_pointer(arg);
		return 0;
	}
	arg->len = bytes;
	arg->flags = is_cut ? RECORD_CUT : 0;
	return bytes;
}

/* Those whose pointer is, or is not, in memory. */
static void
add_blocks(const struct ptrace_point *point, struct record *record, struct batch *batch, bool is_in_memory)
{
	for (unsigned n = 0; n < point->args_cnt; n++) {
		const struct record_slot *slot = &point->slots[n];
		struct record_arg *arg = &record->args[n];

		if (slot->reader == READER_BLOCK && !arg->flags &&
		    (point->operands[n].kind == OPERAND_MEMORY) == is_in_memory)
			batch_add(batch, arg, true, arg->value, (char *)record + slot->slot_offset,
				  slot->slot_bytes);
	}
}

uint32_t
reader_fill(struct record *record, const struct ptrace_point *point, pid_t tid, uint64_t trap_address,
	    const struct regs *regs)
{
	const struct source source = {.tid = tid, .trap_address = trap_address, .regs = regs};
	uint32_t payload = 0;

	struct batch batch = {.cnt = 0};

	/* Most often all is read by one call: the operands, and what pointers in registers point to. */
	for (unsigned n = 0; n < point->args_cnt; n++)
		read_operand(&source, &point->operands[n], &record->args[n], &batch);
	add_blocks(point, record, &batch, false);
	batch_read(&source, &batch);
	add_blocks(point, record, &batch, true);
	batch_read(&source, &batch);
	for (unsigned n = 0; n < point->args_cnt; n++) {
		const struct record_slot *slot = &point->slots[n];
		struct record_arg *arg = &record->args[n];

		if (arg->flags)
			continue; /* its own error counts */
		if (slot->reader == READER_STRING)
			read_string(&source, slot, record, arg);
		else if (slot->reader == READER_PAYLOAD)
			payload = read_payload(&source, slot, record, arg);
	}
	return point->fixed_bytes + payload;
}
