/* A backend for the tests of a probe set: threads that count as the test says, and buffers that hold what the test puts
 * there. The set's draining thread gets nothing: records are delivered only to the test's thread, so each test knows
 * what arrived when. For that thread time passes only when it looks at the clock or waits. */
#ifndef TPCHECK_TESTS_UNIT_PROBE_FAKE_BACKEND_H
#define TPCHECK_TESTS_UNIT_PROBE_FAKE_BACKEND_H

#include "base/machine.h"
#include "fake_clock.h"
#include "probe/set.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FAKE_THREADS = 8, FAKE_ROOM = 64 };

static struct {
	struct probe_source source;
	struct record_sink sink;
	pthread_t tests_thread;
	uint64_t mask;
	uint32_t generation;
	pid_t pid;
	uint64_t mask_attached;

	struct thread_counts threads[FAKE_THREADS]; /* by tid; attempts 0: not known */
	bool has_ended[FAKE_THREADS];
	uint64_t no_memory;
	struct record_head buffer[FAKE_ROOM];
	size_t buffer_cnt;
	/* What gets into a buffer while the buffers are being emptied: only the next round sees it. */
	struct record_head behind[FAKE_ROOM];
	size_t behind_cnt;

	unsigned reads;        /* of the counts */
	void (*on_read)(void); /* before each of them */
	int read_err, arm_err, disarm_err, attach_err, take_err;
	/* What attaching leaves undone. */
	bool sets_no_trap, raises_no_semaphore;
	bool is_open;
} fake;

/* A probe's place and its semaphore in the test's own program, as <sys/sdt.h> leaves them; the code never runs. */
__asm__(".pushsection .text\n.balign 4\nfake_nop: nop\nret\n.popsection\n"
	".pushsection .probes, \"aw\", \"progbits\"\n.balign 2\nfake_semaphore: .2byte 0\n.popsection");
extern uint8_t fake_nop[] __attribute__((visibility("hidden")));
extern volatile uint16_t fake_semaphore __attribute__((visibility("hidden")));

/* A record of the current arming, in the buffer. */
static void
fake_hit(uint32_t tid, uint64_t seq, uint64_t time_ns)
{
	assert_true(fake.buffer_cnt < FAKE_ROOM);
	fake.buffer[fake.buffer_cnt++] = (struct record_head){
		.tid = tid,
		.seq = seq,
		.time_ns = time_ns,
		.generation = fake.generation,
		.size = sizeof(struct record_head),
	};
}

static int
fake_open(struct probe_source **out, struct probe_source *model, const struct probe_point *points,
	  size_t points_cnt, const struct probe_opts *opts, const struct record_sink *sink, struct diag *diag)
{
	(void)model;
	(void)points, (void)points_cnt, (void)opts, (void)diag;
	fake.sink = *sink;
	fake.is_open = true;
	*out = &fake.source;
	return 0;
}

static void
fake_close(struct probe_source *source)
{
	(void)source;
	fake.is_open = false;
}

static void
fake_settle(struct probe_source *source)
{
	(void)source;
}

static void
fake_set_code(const uint8_t *bytes)
{
	uintptr_t page = (uintptr_t)fake_nop & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
	size_t cnt = machine_native()->trap_bytes;

	if (!memcmp(fake_nop, bytes, cnt))
		return;
	assert_int_equal(mprotect((void *)page, 1, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	memcpy(fake_nop, bytes, cnt);
}

static int
fake_attach(struct probe_source *source, pid_t pid, uint64_t mask, struct diag *diag)
{
	(void)source;
	fake.mask_attached = mask;
	if (fake.attach_err)
		return diag_fail(diag, fake.attach_err, "fake: no attach");
	fake.pid = pid;
	fake_semaphore = !fake.raises_no_semaphore;
	if (!fake.sets_no_trap)
		fake_set_code(machine_native()->trap);
	return 0;
}

static void
fake_detach(struct probe_source *source)
{
	(void)source;
	fake.pid = 0;
	fake_semaphore = 0;
	fake_set_code(machine_native()->nops[0].bytes);
}

static int
fake_arm(struct probe_source *source, uint64_t mask, uint32_t generation, struct diag *diag)
{
	(void)source;
	if (fake.arm_err)
		return diag_fail(diag, fake.arm_err, "fake: no arm");
	fake.mask = mask;
	fake.generation = generation;
	return 0;
}

static int
fake_disarm(struct probe_source *source, struct diag *diag)
{
	(void)source;
	if (fake.disarm_err)
		return diag_fail(diag, fake.disarm_err, "fake: no disarm");
	fake.mask = 0;
	return 0;
}

static void
fake_drain(struct probe_source *source)
{
	(void)source;
	if (!pthread_equal(pthread_self(), fake.tests_thread))
		return;
	for (size_t i = 0; i < fake.buffer_cnt; i++)
		fake.sink.on_record(fake.sink.cookie, &fake.buffer[i], sizeof(fake.buffer[i]));
	memcpy(fake.buffer, fake.behind, sizeof(fake.buffer));
	fake.buffer_cnt = fake.behind_cnt;
	fake.behind_cnt = 0;
}

static void
fake_wait(struct probe_source *source, int timeout_ms)
{
	(void)source;
	clock_pause_ms((unsigned)timeout_ms, deadline_in_ms((uint64_t)timeout_ms));
}

static int
fake_read_counts(struct probe_source *source, thread_counts_cb on_thread, void *cookie, uint64_t *no_memory,
		 struct diag *diag)
{
	(void)source;
	fake.reads++;
	if (fake.on_read)
		fake.on_read();
	if (fake.read_err)
		return diag_fail(diag, fake.read_err, "fake: no counts");
	for (uint32_t tid = 1; tid < FAKE_THREADS; tid++)
		if (fake.threads[tid].attempts)
			on_thread(cookie, tid, &fake.threads[tid]);
	*no_memory = fake.no_memory;
	return 0;
}

static int
fake_take_thread(struct probe_source *source, uint32_t tid, struct thread_counts *counts)
{
	(void)source;
	if (fake.take_err)
		return fake.take_err;
	*counts = fake.threads[tid];
	fake.threads[tid] = (struct thread_counts){0};
	return 0;
}

static int
fake_forget_threads(struct probe_source *source, struct diag *diag)
{
	(void)source, (void)diag;
	memset(fake.threads, 0, sizeof(fake.threads));
	return 0;
}

static bool
fake_has_thread_ended(const struct probe_source *source, uint32_t tid)
{
	(void)source;
	return fake.has_ended[tid];
}

static const struct probe_backend fake_backend = {
	.open = fake_open,
	.close = fake_close,
	.settle = fake_settle,
	.attach = fake_attach,
	.detach = fake_detach,
	.detach_begin = fake_detach,
	.arm = fake_arm,
	.disarm = fake_disarm,
	.drain = fake_drain,
	.wait = fake_wait,
	.read_counts = fake_read_counts,
	.take_thread = fake_take_thread,
	.forget_threads = fake_forget_threads,
	.has_thread_ended = fake_has_thread_ended,
};

static struct site fake_site = {.provider = "fake", .name = "point"};
#define FAKE_POINT                                                                                           \
	{                                                                                                    \
		.site = &fake_site, .fixed_bytes = sizeof(struct record_head), .record_bytes = 64            \
	}
/* The set knows only the first one. */
static struct probe_point fake_points[2] = {FAKE_POINT, FAKE_POINT};

/* A set that is armed for the first time. */
static struct probe_set *
fake_begin(size_t threads_max, const struct probe_opts *opts)
{
	struct probe_set *set;
	struct diag diag;

	memset(&fake, 0, sizeof(fake));
	fake.tests_thread = pthread_self();
	fake_clock_set();
	fake_site.file_offset = fake_site.semaphore_file_offset = 0;
	fake.source = (struct probe_source){.method = PROBE_METHOD_PERF, .threads_max = threads_max};
	if (set_new(&set, &fake_backend, fake_points, 1, opts, &diag) ||
	    probe_set_arm(set, UINT64_MAX, &diag))
		fail_msg("%s", diag.text);
	fake.reads = 0;
	return set;
}

static void
fake_end(struct probe_set *set)
{
	probe_set_free(set);
	assert_false(fake.is_open);
}

/* Where an address of the test's own program is in its file. */
struct fake_place {
	uintptr_t address;
	uint64_t offset; /* 0: nowhere */
};

static inline int
fake_look_up(struct dl_phdr_info *info, size_t sz, void *cookie)
{
	struct fake_place *place = cookie;

	(void)sz;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_LOAD && place->address >= start &&
		    place->address < start + segment->p_filesz)
			place->offset = place->address - start + segment->p_offset;
	}
	return 1; /* the program is the first */
}

static inline uint64_t
fake_offset(const volatile void *address)
{
	struct fake_place place = {.address = (uintptr_t)address};

	dl_iterate_phdr(fake_look_up, &place);
	assert_true(place.offset > 0);
	return place.offset;
}

/* Puts the point where the set can be attached to the test's own process. */
static inline void
fake_place_point(void)
{
	fake_site.file_offset = fake_offset(fake_nop);
	fake_site.semaphore_file_offset = fake_offset(&fake_semaphore);
}

/* What the set's draining thread would do. */
static void
fake_arrive(struct probe_set *set)
{
	pthread_mutex_lock(&set->lock);
	fake_drain(&fake.source);
	pthread_mutex_unlock(&set->lock);
}

#endif
