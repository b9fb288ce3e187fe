/* A separate thread draws the line, so that its time goes on while the main thread waits for a node. The thread does
 * everything under the mutex: once live_hide has it, the line is gone for good. It blocks all signals, because they are
 * meant to end the main thread's waits. If the thread cannot be started, the time stands still.
 *
 * The line has its own stream, because standard output is captured while libbcc compiles. */
#include "report/live.h"

#include "base/clock.h"
#include "base/signals.h"
#include "base/writer.h"
#include "base/xmem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct live {
	FILE *out, *screen; /* screen: out's terminal, by another descriptor; out if that fails */
	int fd;             /* the terminal; -1: none */
	unsigned tick_ms;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* Under the mutex: */
	bool shown, stop;
	char *what; /* "[3/26] net.inbound_message.ping ..." */
	uint64_t since_ns;
};

/* How many characters fit without moving the cursor to the next line. */
static int
columns(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) || size.ws_col < 2 ? 79 : size.ws_col - 1;
}

static void
draw(struct live *live)
{
	/* Without the heap: if this thread ran out of memory, nobody could finish the report. */
	char time[32];

	snprintf(time, sizeof(time), " %.1f s", (double)(clock_now_ns() - live->since_ns) / 1e9);
	int room = columns(live->fd) - (int)strlen(time);

	/* The time comes first if not everything fits. */
	if (room >= 0)
		fprintf(live->screen, "%.*s%s", room, live->what, time);
	fflush(live->screen);
}

static void *
work(void *arg)
{
	struct live *live = arg;

	pthread_mutex_lock(&live->mutex);
	while (!live->stop) {
		struct timespec until;
		uint64_t at_ns = clock_now_ns() + (uint64_t)live->tick_ms * 1000000;

		if (!live->shown) {
			pthread_cond_wait(&live->changed, &live->mutex);
			continue;
		}
		until.tv_sec = (time_t)(at_ns / 1000000000);
		until.tv_nsec = (long)(at_ns % 1000000000);
		/* Unless it timed out, another line is shown now: wait for that. */
		if (pthread_cond_timedwait(&live->changed, &live->mutex, &until) && live->shown &&
		    !live->stop) {
			fputs("\r\033[K", live->screen);
			draw(live);
		}
	}
	pthread_mutex_unlock(&live->mutex);
	return NULL;
}

struct live *
live_new(FILE *out, int fd, const atomic_int *interrupted, unsigned tick_ms)
{
	struct live *live = xcalloc(1, sizeof(*live));
	pthread_condattr_t monotonic;

	live->out = out;
	live->fd = fd < 0 ? -1 : writer_reopen(fd);
	live->screen = live->fd < 0 ? NULL : writer_stream(live->fd, interrupted);
	if (!live->screen)
		live->screen = out;
	live->tick_ms = tick_ms;
	pthread_mutex_init(&live->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&live->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	live->has_thread = !signals_start_thread(&live->thread, work, live);
	return live;
}

static void
erase(struct live *live)
{
	if (live->shown)
		fputs("\r\033[K", live->screen);
	fflush(live->screen);
	live->shown = false;
}

void
live_show(struct live *live, const char *name, size_t number, size_t total)
{
	pthread_mutex_lock(&live->mutex);
	erase(live);
	fflush(live->out); /* before the line */
	free(live->what);
	live->what = xasprintf("[%zu/%zu] %s ...", number, total, name);
	live->since_ns = clock_now_ns();
	live->shown = true;
	draw(live);
	pthread_cond_signal(&live->changed);
	pthread_mutex_unlock(&live->mutex);
}

void
live_hide(struct live *live)
{
	if (!live)
		return;
	pthread_mutex_lock(&live->mutex);
	erase(live);
	pthread_mutex_unlock(&live->mutex);
}

void
live_free(struct live *live)
{
	if (!live)
		return;
	pthread_mutex_lock(&live->mutex);
	erase(live);
	live->stop = true;
	pthread_cond_signal(&live->changed);
	pthread_mutex_unlock(&live->mutex);
	if (live->has_thread)
		pthread_join(live->thread, NULL);
	pthread_cond_destroy(&live->changed);
	pthread_mutex_destroy(&live->mutex);
	if (live->screen != live->out)
		fclose(live->screen); /* and live->fd */
	else if (live->fd >= 0)
		close(live->fd);
	free(live->what);
	free(live);
}
