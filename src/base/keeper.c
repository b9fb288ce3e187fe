#include "base/keeper.h"

#include "base/clock.h"
#include "base/fds.h"
#include "base/proc_stat.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Not "tpcheck-...": pkill takes its pattern as a part of the name. */
#define KEEPER_NAME "usdt-keeper"

enum {
	LOOK_MS = 100,
	STOPPED_MS = 5000, /* after that long it is not waited for any more */
};

/* Shared with the keeper, which holds the lock for all its life. When a process ends, the kernel marks what it held
 * before it closes any of its descriptors: so whatever the keeper has open was open as long as the lock is held. (Its
 * end of the socket says so too late: it is closed after the links, and to take those out takes long.) */
struct pulse {
	pthread_mutex_t held; /* robust */
};

struct keeper {
	pid_t pid;
	int fd;
	atomic_bool is_lost; /* it was stopped; an answer may still come, to nobody */
	unsigned last_id;
	pthread_mutex_t lock; /* one request at a time, but for those that are answered elsewhere */
	struct pulse *pulse;
	pthread_mutex_t pulse_lock;
	bool has_ended; /* under pulse_lock */
};

struct request {
	const struct keeper_desc *desc; /* NULL: undo the deed of that id */
	unsigned id;
	bool aside; /* answer through the descriptor that comes with it, not here */
};

struct answer {
	int err;
	struct diag diag;
};

/* In the keeper, where running out of memory must not end the process: nothing of xmem.h. */

struct kept {
	const struct keeper_desc *desc;
	unsigned id;
	void *state;
	struct kept *earlier;
};

static bool
send_answer(int fd, const struct answer *answer, const void *state, size_t state_sz)
{
	struct iovec iov[] = {{.iov_base = (void *)(uintptr_t)answer, .iov_len = sizeof(*answer)},
			      {.iov_base = (void *)(uintptr_t)state, .iov_len = state_sz}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = state_sz ? 2 : 1};

	return sendmsg(fd, &msg, MSG_NOSIGNAL) >= 0;
}

static int
undo_first(struct kept **kept, struct diag *diag)
{
	struct kept *done = *kept;
	int err = done->desc->undo(done->state, diag);

	*kept = done->earlier;
	free(done->state);
	free(done);
	return err;
}

static struct kept **
find_kept(struct kept **kept, unsigned id)
{
	while (*kept && (*kept)->id != id)
		kept = &(*kept)->earlier;
	return kept;
}

static void
undo(struct kept **kept, unsigned id, int fd)
{
	struct answer answer = {.err = -ENOENT};

	kept = find_kept(kept, id);
	if (*kept)
		answer.err = undo_first(kept, &answer.diag);
	send_answer(fd, &answer, NULL, 0);
}

/* What is undone aside, in a thread each. */

struct aside {
	struct kept *kept;
	int fd; /* for the answer */
};

static pthread_mutex_t asides_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t aside_ended = PTHREAD_COND_INITIALIZER;
static unsigned asides_cnt;

static void *
undo_aside(void *arg)
{
	struct aside *aside = arg;
	struct answer answer = {.err = 0};

	answer.err = undo_first(&aside->kept, &answer.diag);
	send_answer(aside->fd, &answer, NULL, 0);
	close(aside->fd);
	free(aside);
	pthread_mutex_lock(&asides_lock);
	asides_cnt--;
	pthread_cond_signal(&aside_ended);
	pthread_mutex_unlock(&asides_lock);
	return NULL;
}

/* Takes the descriptor; -1: there was no room for it, and nobody gets an answer. */
static void
begin_undo(struct kept **kept, unsigned id, int fd)
{
	struct aside *aside = malloc(sizeof(*aside));
	pthread_t thread;

	kept = find_kept(kept, id);
	if (!aside || !*kept) {
		undo(kept, id, fd);
		close(fd);
		free(aside);
		return;
	}
	*aside = (struct aside){.kept = *kept, .fd = fd};
	*kept = (*kept)->earlier;
	pthread_mutex_lock(&asides_lock);
	asides_cnt++;
	pthread_mutex_unlock(&asides_lock);
	if (pthread_create(&thread, NULL, undo_aside, aside))
		undo_aside(aside);
	else
		pthread_detach(thread);
}

static void
wait_for_asides(void)
{
	pthread_mutex_lock(&asides_lock);
	while (asides_cnt)
		pthread_cond_wait(&aside_ended, &asides_lock);
	pthread_mutex_unlock(&asides_lock);
}

static void
work(struct kept **all, const struct request *request, const void *args, size_t args_sz, const int *fds,
     size_t fds_cnt, int fd)
{
	const struct keeper_desc *desc = request->desc;
	struct kept *kept = calloc(1, sizeof(*kept));
	void *state = calloc(1, desc->state_sz + 1);
	struct answer answer = {.err = 0};

	if (kept && state)
		answer.err = desc->work(state, args, args_sz, fds, fds_cnt, &answer.diag);
	else
		answer.err = diag_fail(&answer.diag, -ENOMEM, "keeper: out of memory");
	if (answer.err) {
		free(state);
		free(kept);
		send_answer(fd, &answer, NULL, 0);
		return;
	}
	*kept = (struct kept){desc, request->id, state, *all};
	*all = kept;
	send_answer(fd, &answer, state, desc->state_sz);
}

/* Obeys until the other end is closed. */
static void
serve(int fd)
{
	static _Alignas(max_align_t) char args[KEEPER_ARGS_MAX];
	struct kept *kept = NULL;

	for (;;) {
		union fds_control control;
		struct request request;
		struct iovec iov[] = {{.iov_base = &request, .iov_len = sizeof(request)},
				      {.iov_base = args, .iov_len = sizeof(args)}};
		struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
		int fds[FDS_MAX];

		fds_allow(&msg, &control, FDS_MAX);
		ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)sizeof(request))
			break;
		size_t fds_cnt = fds_take(&msg, fds);
		if (request.desc)
			work(&kept, &request, args, (size_t)n - sizeof(request), fds, fds_cnt, fd);
		else if (request.aside)
			begin_undo(&kept, request.id, fds_cnt ? fds[--fds_cnt] : -1);
		else
			undo(&kept, request.id, fd);
		for (size_t i = 0; i < fds_cnt; i++)
			close(fds[i]);
	}
	while (kept)
		undo_first(&kept, NULL);
	wait_for_asides();
}

void
keeper_close_all_but(int kept)
{
	struct rlimit limit;

#ifdef SYS_close_range
	if (!syscall(SYS_close_range, 3u, (unsigned)kept - 1, 0u) || kept == 3)
		if (!syscall(SYS_close_range, (unsigned)kept + 1, ~0u, 0u))
			return;
#endif
	int end = !getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
	for (int fd = 3; fd < end; fd++)
		if (fd != kept)
			close(fd);
}

/* It may hold more than its owner does. */
static void
allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Only a privileged process may; the others depend on being small. */
static void
spare_from_oom_killer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "-1000", 5) < 0)
		errno = 0;
	close(fd);
}

/* Once there is room for another descriptor. */
static void
silence_standard_streams(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		if (null_fd < 0 || dup2(null_fd, fd) < 0)
			close(fd);
	if (null_fd > 2)
		close(null_fd);
}

static _Noreturn void
become_keeper(int fd, struct pulse *pulse, const struct keeper_opts *opts)
{
	struct answer answer = {.err = 0};
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	int lock_err = pthread_mutex_lock(&pulse->held);
	if (lock_err)
		answer.err =
			diag_fail(&answer.diag, -lock_err, "keeper: failed to lock: %s", strerror(lock_err));
	setsid();
	if (fd < 3)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		_exit(1);
	prctl(PR_SET_NAME, KEEPER_NAME);
	keeper_close_all_but(fd);
	silence_standard_streams();
	allow_files();
	/* Another file system must not be kept busy. */
	if (chdir("/"))
		answer.err =
			diag_fail(&answer.diag, -errno, "keeper: failed to enter '/': %s", strerror(errno));
	spare_from_oom_killer();
	for (char **arg = opts ? opts->argv : NULL; arg && *arg; arg++)
		memset(*arg, 0, strlen(*arg));
	if (!answer.err && opts && opts->prepare)
		answer.err = opts->prepare(opts->cookie, &answer.diag);
	if (send_answer(fd, &answer, NULL, 0) && !answer.err)
		serve(fd);
	_exit(0);
}

/* In the process that it serves. */

static bool
is_stopped(pid_t pid)
{
	struct proc_stat stat;

	return proc_stat_read(pid, &stat) && (stat.state == 'T' || stat.state == 't');
}

static int
fail_as_stopped(struct keeper *keeper, struct diag *diag)
{
	keeper->is_lost = true;
	return diag_fail(diag, -ETIMEDOUT,
			 "keeper: the process %d (" KEEPER_NAME
			 ") is stopped, and cannot undo what tpcheck did; let it go on: kill -CONT %d",
			 (int)keeper->pid, (int)keeper->pid);
}

static int
fail_as_ended(const struct keeper *keeper, struct diag *diag)
{
	return diag_fail(diag, -EPIPE,
			 "keeper: the process %d (" KEEPER_NAME
			 ") was killed, which takes out what tpcheck put into other processes",
			 (int)keeper->pid);
}

/* Waits until a socket to it is readable: an answer, or its end. It may need long, but not while it is stopped. */
static int
wait_for_keeper(struct keeper *keeper, int fd, struct diag *diag)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	struct deadline patience = deadline_in_ms(keeper->is_lost ? 0 : STOPPED_MS);

	for (;;) {
		int ready = poll(&pollfd, 1, LOOK_MS);

		/* Refused: no descriptors are allowed. */
		if (ready > 0 || (ready < 0 && errno != EINTR))
			return 0;
		if (!is_stopped(keeper->pid))
			patience = deadline_in_ms(STOPPED_MS);
		else if (deadline_has_passed(patience))
			return fail_as_stopped(keeper, diag);
	}
}

static int
receive_answer(struct keeper *keeper, int fd, void *state, size_t state_sz, struct diag *diag)
{
	struct answer answer;
	struct iovec iov[] = {{.iov_base = &answer, .iov_len = sizeof(answer)},
			      {.iov_base = state, .iov_len = state_sz}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = state_sz ? 2 : 1};
	ssize_t n;
	int err = wait_for_keeper(keeper, fd, diag);

	if (err)
		return err;
	do
		n = recvmsg(fd, &msg, 0);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)sizeof(answer))
		return fail_as_ended(keeper, diag);
	return answer.err ? diag_fail(diag, answer.err, "%s", answer.diag.text) : 0;
}

/* Returns as sendmsg does. */
static ssize_t
send_request(const struct keeper *keeper, const struct request *request, const void *args, size_t args_sz,
	     const int *fds, size_t fds_cnt, int flags)
{
	union fds_control control;
	struct iovec iov[] = {{.iov_base = (void *)(uintptr_t)request, .iov_len = sizeof(*request)},
			      {.iov_base = (void *)(uintptr_t)args, .iov_len = args_sz}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = args_sz ? 2 : 1};
	ssize_t n;

	fds_add(&msg, &control, fds, fds_cnt);
	do
		n = sendmsg(keeper->fd, &msg, MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	return n;
}

static int
ask(struct keeper *keeper, struct request request, const void *args, size_t args_sz, const int *fds,
    size_t fds_cnt, void *state, size_t state_sz, struct diag *diag)
{
	if (args_sz > KEEPER_ARGS_MAX || fds_cnt > FDS_MAX)
		return diag_fail(diag, -E2BIG, "keeper: the request is too long");
	pthread_mutex_lock(&keeper->lock);
	if (keeper->is_lost) {
		pthread_mutex_unlock(&keeper->lock);
		return fail_as_stopped(keeper, diag);
	}
	ssize_t n = send_request(keeper, &request, args, args_sz, fds, fds_cnt, 0);
	/* If it is gone, receiving fails as well. */
	int err = n < 0 && errno != EPIPE && errno != ECONNRESET
			  ? diag_fail(diag, -errno, "keeper: failed to send a request: %s", strerror(errno))
			  : receive_answer(keeper, keeper->fd, state, state_sz, diag);
	pthread_mutex_unlock(&keeper->lock);
	return err;
}

static int
pulse_new(struct pulse **out, struct diag *diag)
{
	pthread_mutexattr_t attr;
	struct pulse *pulse =
		mmap(NULL, sizeof(*pulse), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*out = NULL;
	if (pulse == MAP_FAILED)
		return diag_fail(diag, -errno, "keeper: failed to share memory: %s", strerror(errno));
	int err = pthread_mutexattr_init(&attr);
	if (!err)
		err = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (!err)
		err = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (!err)
		err = pthread_mutex_init(&pulse->held, &attr);
	pthread_mutexattr_destroy(&attr);
	if (err) {
		munmap(pulse, sizeof(*pulse));
		return diag_fail(diag, -err, "keeper: failed to make a shared lock: %s", strerror(err));
	}
	*out = pulse;
	return 0;
}

static int
keeper_new(struct keeper **out, struct diag *diag)
{
	struct pulse *pulse;
	int err = pulse_new(&pulse, diag);

	if (err)
		return err;
	*out = xcalloc(1, sizeof(**out));
	(*out)->pulse = pulse;
	pthread_mutex_init(&(*out)->lock, NULL);
	pthread_mutex_init(&(*out)->pulse_lock, NULL);
	return 0;
}

static void
keeper_free(struct keeper *keeper)
{
	pthread_mutex_destroy(&keeper->pulse_lock);
	pthread_mutex_destroy(&keeper->lock);
	munmap(keeper->pulse, sizeof(*keeper->pulse));
	free(keeper);
}

static int
start_process(struct keeper *keeper, const struct keeper_opts *opts, struct diag *diag)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return diag_fail(diag, -errno, "keeper: failed to make a socket pair: %s", strerror(errno));
	keeper->pid = fork();
	if (keeper->pid == 0)
		become_keeper(fds[1], keeper->pulse, opts);
	int fork_errno = errno;
	close(fds[1]);
	if (keeper->pid < 0) {
		close(fds[0]);
		return diag_fail(diag, -fork_errno, "keeper: failed to fork: %s", strerror(fork_errno));
	}
	keeper->fd = fds[0];
	return 0;
}

int
keeper_start(struct keeper **out, const struct keeper_opts *opts, struct diag *diag)
{
	struct keeper *keeper;
	int err = keeper_new(&keeper, diag);

	*out = NULL;
	if (err)
		return err;
	err = start_process(keeper, opts, diag);
	if (err) {
		keeper_free(keeper);
		return err;
	}
	err = receive_answer(keeper, keeper->fd, NULL, 0, diag);
	if (err)
		keeper_stop(keeper, NULL);
	else
		*out = keeper;
	return err;
}

int
keeper_stop(struct keeper *keeper, struct diag *diag)
{
	struct deadline patience = deadline_in_ms(STOPPED_MS);
	int err = 0;

	if (!keeper)
		return 0;
	/* It closes its end when it has undone everything. */
	shutdown(keeper->fd, SHUT_WR);
	if (keeper->is_lost)
		err = fail_as_stopped(keeper, diag);
	while (!err && waitpid(keeper->pid, NULL, WNOHANG) == 0) {
		struct pollfd pollfd = {.fd = keeper->fd, .events = POLLIN};

		poll(&pollfd, 1, LOOK_MS);
		if (!is_stopped(keeper->pid))
			patience = deadline_in_ms(STOPPED_MS);
		else if (deadline_has_passed(patience))
			err = fail_as_stopped(keeper, diag);
	}
	close(keeper->fd);
	keeper_free(keeper);
	return err;
}

pid_t
keeper_pid(const struct keeper *keeper)
{
	return keeper->pid;
}

/* Once: afterwards nobody can take the lock any more. */
static bool
has_lost_pulse(struct pulse *pulse)
{
	int err = pthread_mutex_trylock(&pulse->held);

	if (err == 0 || err == EOWNERDEAD)
		pthread_mutex_unlock(&pulse->held);
	return err != EBUSY;
}

/* Later, but also where the kernel keeps no list of robust mutexes. */
static bool
has_exited(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	return !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid == pid;
}

int
keeper_check(struct keeper *keeper, struct diag *diag)
{
	if (!keeper)
		return 0;
	pthread_mutex_lock(&keeper->pulse_lock);
	if (!keeper->has_ended)
		keeper->has_ended = has_lost_pulse(keeper->pulse) || has_exited(keeper->pid);
	bool has_ended = keeper->has_ended;
	pthread_mutex_unlock(&keeper->pulse_lock);
	return has_ended ? fail_as_ended(keeper, diag) : 0;
}

int
keeper_do(struct keeper *keeper, struct keeper_deed *deed, const struct keeper_desc *desc, const void *args,
	  size_t args_sz, const int *fds, size_t fds_cnt, struct diag *diag)
{
	void *state = xcalloc(1, desc->state_sz + 1);
	unsigned id = keeper ? __atomic_add_fetch(&keeper->last_id, 1, __ATOMIC_RELAXED) : 0;
	int err = keeper ? ask(keeper, (struct request){desc, id, false}, args, args_sz, fds, fds_cnt, state,
			       desc->state_sz, diag)
			 : desc->work(state, args, args_sz, fds, fds_cnt, diag);

	*deed = (struct keeper_deed){0};
	if (err)
		free(state);
	else
		*deed = (struct keeper_deed){.keeper = keeper, .desc = desc, .id = id, .state = state};
	return err;
}

int
keeper_undo(struct keeper_deed *deed, struct diag *diag)
{
	int err = 0;

	if (!deed->state)
		return 0;
	if (deed->is_undoing) {
		err = receive_answer(deed->keeper, deed->undone_fd, NULL, 0, diag);
		close(deed->undone_fd);
	} else if (deed->keeper) {
		err = ask(deed->keeper, (struct request){NULL, deed->id, false}, NULL, 0, NULL, 0, NULL, 0,
			  diag);
	}
	if (!deed->keeper || (err == -EPIPE && deed->desc->undo_anywhere))
		err = deed->desc->undo(deed->state, diag);
	free(deed->state);
	*deed = (struct keeper_deed){0};
	return err;
}

void
keeper_undo_begin(struct keeper_deed *deed)
{
	const struct request request = {NULL, deed->id, true};
	int fds[2];

	/* What does not succeed here is done by keeper_undo alone. */
	if (!deed->state || !deed->keeper || deed->is_undoing || deed->keeper->is_lost ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return;
	/* Without the lock: the answer does not come by the keeper's own socket. */
	deed->is_undoing = send_request(deed->keeper, &request, NULL, 0, &fds[1], 1, MSG_DONTWAIT) >= 0;
	close(fds[1]);
	if (deed->is_undoing)
		deed->undone_fd = fds[0];
	else
		close(fds[0]);
}
