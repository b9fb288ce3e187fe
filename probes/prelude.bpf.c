/* What runs in the kernel at each hit of a tracepoint. tpcheck appends a function for each probe point, made of the TP_
 * macros below (src/probe/bpf/program_text.c), and has libbcc compile it all.
 *
 * A hit becomes a record (src/base/record.h) in the ring (src/probe/bpf/ring.h). One whose size is known is built
 * where it will lie in the ring: the memory there is not in the CPU's cache, and arrives while the arguments are read.
 * One with a payload, and one that conditions may still reject, is built in memory of the thread that hit and copied.
 * (Not of the CPU: a uprobe's program can be preempted, and another thread's hit on the same CPU would overwrite it.)
 * The same goes for the counts: each thread counts its own attempts and failures, without atomics and without gaps, so
 * that the host can prove that nothing was lost, not even the last record.
 *
 * No helper is called by the names bpf_probe_read_user and bpf_probe_read_user_str: for each such call libbcc hashes
 * all of /proc/kallsyms anew (0.1 s each). The pointers below are the same helpers under names that libbcc does not
 * know. */

#define TP_RECORD_OPERAND_FAILED 1
#define TP_RECORD_POINTER_FAILED 2
#define TP_RECORD_CUT 4
#define TP_ENODATA 61

struct tp_head {
	u64 time_ns;
	u64 seq;
	u32 tid;
	u32 generation;
	u16 point;
	u16 args_cnt;
	u32 size;
};
struct tp_arg {
	u64 value;
	u64 state; /* from the lowest bit: 16 error, 16 flags, 32 length behind the pointer */
};
struct tp_thread {
	u64 attempts; /* hits while recording */
	u64 failed;   /* of these, hits whose record did not fit into the ring */
	u64 filtered; /* of these, hits that did not fulfil the conditions of --where */
	u64 quiet_bytes; /* of records since it last woke up the host */
	u64 block[4];    /* for TP_BLOCK */
	struct tp_head head;
	char rest[TP_RECORD_BYTES - sizeof(struct tp_head)];
};
struct tp_control { /* written by the host only */
	u64 mask;       /* bit 1 << tracepoint: record its hits; 0: not recording */
	u32 generation; /* counts the armings */
	u32 wake_bytes; /* the host is woken up when a thread has recorded that much */
};
struct tp_counters { /* written here only */
	u64 no_memory; /* hits lost because there were more threads than TP_THREADS */
	u64 tried;     /* hits of tpcheck's own code, see src/probe/bpf/multi.c */
};

/* As in src/base/record.h. There the state of an argument is three members: error, flags and len. */
#define TP_ASSERT_OFFSET(type, member, offset) \
	_Static_assert(__builtin_offsetof(struct type, member) == (offset), #type "." #member)
_Static_assert(sizeof(struct tp_head) == 32, "size of struct record_head");
TP_ASSERT_OFFSET(tp_head, time_ns, 0);
TP_ASSERT_OFFSET(tp_head, seq, 8);
TP_ASSERT_OFFSET(tp_head, tid, 16);
TP_ASSERT_OFFSET(tp_head, generation, 20);
TP_ASSERT_OFFSET(tp_head, point, 24);
TP_ASSERT_OFFSET(tp_head, args_cnt, 26);
TP_ASSERT_OFFSET(tp_head, size, 28);
_Static_assert(sizeof(struct tp_arg) == 16, "size of struct record_arg");
TP_ASSERT_OFFSET(tp_arg, value, 0);
TP_ASSERT_OFFSET(tp_arg, state, 8);
/* The host reads the counts of a thread from the start of its entry. */
TP_ASSERT_OFFSET(tp_thread, attempts, 0);
TP_ASSERT_OFFSET(tp_thread, failed, 8);
TP_ASSERT_OFFSET(tp_thread, filtered, 16);
TP_ASSERT_OFFSET(tp_thread, head, 64);

BPF_ARRAY(control, struct tp_control, 1);
BPF_ARRAY(counters, struct tp_counters, 1);
BPF_HASH(threads, u32, struct tp_thread, TP_THREADS);
BPF_ARRAY(blank, struct tp_thread, 1);

static long (*tp_read)(void *to, u32 bytes, const void *from) = (void *)112;     /* bpf_probe_read_user */
static long (*tp_read_str)(void *to, u32 bytes, const void *from) = (void *)114; /* bpf_probe_read_user_str */
static u64 (*tp_cookie)(void *ctx) = (void *)174;                                /* bpf_get_attach_cookie */

/* The ring is a map that the host makes (libbcc would do so with a fixed size); its descriptor takes the place of this
 * number when the programs are loaded. */
#define TP_RING ((void *)bpf_pseudo_fd(1, TP_RING_NUMBER))
static long (*tp_ring_output)(void *ring, void *record, u64 bytes, u64 flags) = (void *)130; /* bpf_ringbuf_output */
static void *(*tp_ring_reserve)(void *ring, u64 bytes, u64 flags) = (void *)131;             /* bpf_ringbuf_reserve */
static void (*tp_ring_submit)(void *record, u64 flags) = (void *)132;                        /* bpf_ringbuf_submit */
#define TP_LINE_BYTES 64
#define TP_FETCH_BYTES 512
#define TP_NO_WAKEUP 1    /* BPF_RB_NO_WAKEUP */
#define TP_FORCE_WAKEUP 2 /* BPF_RB_FORCE_WAKEUP */

static __always_inline int tp_tried(void)
{
	u32 zero = 0;
	struct tp_counters *n = counters.lookup(&zero);

	if (n)
		__sync_fetch_and_add(&n->tried, 1);
	return 0;
}

/* What is known of a probe point before it is hit, in the cookie that the kernel keeps with it: bits 0 to 15 are its
 * index, 16 to 23 the tracepoint, 24 to 31 the number of arguments, 32 to 63 the size of a record without its
 * payload. */
#define TP_POINT(cookie) ((u16)(cookie))
#define TP_TRACEPOINT(cookie) ((u8)((cookie) >> 16))
#define TP_ARGS_CNT(cookie) ((u8)((cookie) >> 24))
#define TP_FIXED_BYTES(cookie) ((u32)((cookie) >> 32))

/* Counts a hit; 0 if it is not to be recorded. */
static __always_inline struct tp_thread *tp_begin(u64 cookie, struct tp_control **control_out)
{
	u32 zero = 0;
	struct tp_control *c = control.lookup(&zero);

	if (!c || !(c->mask >> (TP_TRACEPOINT(cookie) & 63) & 1))
		return 0;
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct tp_thread *t = threads.lookup(&tid);
	if (!t) {
		struct tp_thread *b = blank.lookup(&zero);
		if (!b)
			return 0;
		threads.update(&tid, b);
		t = threads.lookup(&tid);
		if (!t) {
			struct tp_counters *n = counters.lookup(&zero);
			if (n)
				__sync_fetch_and_add(&n->no_memory, 1);
			return 0;
		}
		t->head.tid = tid;
	}
	t->attempts++;
	*control_out = c;
	return t;
}

/* Writes into each piece of a small record that the CPU fetches at once, so that it fetches them together. */
static __always_inline void tp_fetch(struct tp_head *r, u32 bytes)
{
#pragma unroll
	for (u32 at = TP_LINE_BYTES; at < TP_FETCH_BYTES; at += TP_LINE_BYTES)
		if (at < bytes)
			((volatile char *)r)[at] = 0;
	((volatile char *)r)[bytes - 1] = 0;
}

/* After the hit was counted: stream.c relies on it. */
static __always_inline void tp_fill_head(struct tp_head *r, struct tp_thread *t, struct tp_control *c, u64 cookie)
{
	r->seq = t->attempts;
	r->tid = t->head.tid;
	r->generation = c->generation;
	r->point = TP_POINT(cookie);
	r->args_cnt = TP_ARGS_CNT(cookie);
	r->size = TP_FIXED_BYTES(cookie);
	r->time_ns = bpf_ktime_get_ns();
}

/* Nobody is woken up for single records. */
static __always_inline u64 tp_wakeup(struct tp_thread *t, struct tp_control *c, u64 bytes)
{
	t->quiet_bytes += bytes;
	if (t->quiet_bytes < c->wake_bytes)
		return TP_NO_WAKEUP;
	t->quiet_bytes = 0;
	return TP_FORCE_WAKEUP;
}

/* Where the functions that are appended build the record: r. */
#define TP_AT(offset) ((char *)r + (offset))
#define TP_ARG(n) ((struct tp_arg *)TP_AT(sizeof(struct tp_head) + (n) * sizeof(struct tp_arg)))
/* What is known of an argument besides its value; 0 if it was read without error. */
#define TP_STATE(error, flag, len) ((u64)(u16)(error) | (u64)(flag) << 16 | (u64)(len) << 32)

/* Argument n is at hand: a constant, or in a register. */
#define TP_VALUE(n, v) (TP_ARG(n)->value = (v), TP_ARG(n)->state = 0)
/* Argument n is at an address in the traced process. */
#define TP_LOAD(n, address, bytes)                                                            \
	do {                                                                                  \
		TP_ARG(n)->value = 0;                                                         \
		long tp_e = tp_read(&TP_ARG(n)->value, (bytes), (const void *)(address));     \
		TP_ARG(n)->state = tp_e ? TP_STATE(tp_e, TP_RECORD_OPERAND_FAILED, 0) : 0;    \
	} while (0)
/* Argument n is known in advance to be unreadable. */
#define TP_UNREADABLE(n) \
	(TP_ARG(n)->value = 0, TP_ARG(n)->state = TP_STATE(-TP_ENODATA, TP_RECORD_OPERAND_FAILED, 0))

/* Argument n points at that many bytes, which go to offset at of the record, by way of memory that the CPU has at hand.
 * (If the argument itself could not be read, it is 0 and its state keeps that error.) */
#define TP_BLOCK(n, at, bytes)                                                                               \
	do {                                                                                                 \
		_Static_assert((bytes) <= sizeof(t->block) && (bytes) % 8 == 0, "room");                     \
		long tp_e = tp_read(t->block, (bytes), (const void *)TP_ARG(n)->value);                      \
		for (u32 tp_i = 0; tp_i < (bytes) / 8; tp_i++)                                               \
			((u64 *)TP_AT(at))[tp_i] = t->block[tp_i];                                           \
		if (!TP_ARG(n)->state)                                                                       \
			TP_ARG(n)->state = tp_e ? TP_STATE(tp_e, TP_RECORD_POINTER_FAILED, 0)                \
						: TP_STATE(0, 0, bytes);                                     \
	} while (0)
/* The same for a C string of at most that many bytes, including its NUL. */
#define TP_STRING(n, at, bytes)                                                                              \
	do {                                                                                                 \
		long tp_e = tp_read_str(TP_AT(at), (bytes), (const void *)TP_ARG(n)->value);                 \
		if (!TP_ARG(n)->state)                                                                       \
			TP_ARG(n)->state = tp_string_state(tp_e, TP_ARG(n)->value, (bytes));                 \
	} while (0)
/* The same for as many bytes as argument size_n says, at most bytes; they end the record. */
#define TP_PAYLOAD(n, at, bytes, size_n)                                                                     \
	do {                                                                                                 \
		u64 tp_len = TP_ARG(size_n)->value;                                                          \
		if (!TP_ARG(n)->state && !TP_ARG(size_n)->state) {                                           \
			u64 tp_n = tp_len > (bytes) ? (bytes) : tp_len;                                      \
			asm volatile("" : "+r"(tp_n)); /* keep the bound below in this register */           \
			if (tp_n > (bytes))                                                                  \
				tp_n = (bytes);                                                              \
			long tp_e = tp_read(TP_AT(at), tp_n, (const void *)TP_ARG(n)->value);                \
			TP_ARG(n)->state = tp_e ? TP_STATE(tp_e, TP_RECORD_POINTER_FAILED, 0)                \
						: TP_STATE(0, tp_len > (bytes) ? TP_RECORD_CUT : 0, tp_n);   \
			tp_payload = tp_e ? 0 : tp_n;                                                        \
		}                                                                                            \
	} while (0)

/* Conditions, as condition.c of src/base defines them. Nothing that could not be read fulfils one. */
#define TP_READABLE(n) \
	(!(TP_ARG(n)->state & (u64)(TP_RECORD_OPERAND_FAILED | TP_RECORD_POINTER_FAILED) << 16))
#define TP_WORD(at) (*(u64 *)TP_AT(at))
#define TP_SKIPPED ((u32)-1) /* in place of the length of a payload */
#define TP_REQUIRE(condition)              \
	do {                               \
		if (!(condition)) {        \
			t->filtered++;     \
			return TP_SKIPPED; \
		}                          \
	} while (0)

static __always_inline u64 tp_string_state(long result, u64 address, u32 bytes)
{
	if (result < 0)
		return TP_STATE(result, TP_RECORD_POINTER_FAILED, 0);
	if (result == bytes) { /* the string may be longer */
		char last = 1;
		if (tp_read(&last, 1, (const void *)(address + bytes - 1)) || last)
			return TP_STATE(0, TP_RECORD_CUT, result);
	}
	return TP_STATE(0, 0, result);
}

/* The record of the thread, with a payload or without. */
static __always_inline int tp_output(struct tp_thread *t, struct tp_control *c, u32 payload)
{
	if (payload == TP_SKIPPED)
		return 0;
	u64 size = (u64)t->head.size + payload;

	t->head.size = size;
	asm volatile("" : "+r"(size)); /* keep the bound below in the register that the verifier checks */
	if (size > TP_RECORD_BYTES)
		size = TP_RECORD_BYTES;
	if (tp_ring_output(TP_RING, &t->head, size, tp_wakeup(t, c, size)))
		t->failed++;
	return 0;
}
