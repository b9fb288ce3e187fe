#include "probe/bpf/bcc_shim.h"

#include <bcc/bcc_version.h>
#include <bcc/bpf_module.h>
#include <bcc/libbpf.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

void
set_error(char *error, size_t error_sz, const std::string &text)
{
	if (error && error_sz)
		snprintf(error, error_sz, "%s", text.c_str());
}

/* A file without a name; if a seccomp profile refuses memfd_create, one in a temporary folder. Without either, what is
 * written is lost, which is better than libbcc's text between the lines of a report. */
int
open_unnamed()
{
	int fd = memfd_create("libbcc", MFD_CLOEXEC);

	for (const char *folder : {"/dev/shm", "/tmp", "/var/tmp"})
		if (fd < 0)
			fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd >= 0 ? fd : open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* Collects what libbcc and its clang print to stdout and stderr while this lives. One at a time: two threads would
 * restore each other's. */
class Capture {
      public:
	Capture() : alone_(mutex())
	{
		fflush(stdout);
		fflush(stderr);
		fd_ = open_unnamed();
		for (int i = 0; fd_ >= 0 && i < 2; i++) {
			saved_[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
			if (saved_[i] >= 0)
				dup2(fd_, i + 1);
		}
	}
	~Capture()
	{
		restore();
	}
	Capture(const Capture &) = delete;
	Capture &operator=(const Capture &) = delete;

	std::string take()
	{
		std::string text;

		restore();
		if (fd_ >= 0) {
			char chunk[4096];
			off_t at = 0;
			ssize_t n;

			while ((n = pread(fd_, chunk, sizeof(chunk), at)) > 0 && text.size() < 65536) {
				text.append(chunk, (size_t)n);
				at += n;
			}
		}
		while (!text.empty() && text.back() == '\n')
			text.pop_back();
		return text;
	}

      private:
	static std::mutex &mutex()
	{
		static std::mutex mutex;
		return mutex;
	}
	void restore()
	{
		fflush(stdout);
		fflush(stderr);
		for (int i = 0; i < 2; i++) {
			if (saved_[i] < 0)
				continue;
			dup2(saved_[i], i + 1);
			close(saved_[i]);
			saved_[i] = -1;
		}
	}

	/* Stays open as long as the object. */
	struct Fd {
		int fd = -1;
		~Fd()
		{
			if (fd >= 0)
				close(fd);
		}
		Fd &operator=(int f)
		{
			fd = f;
			return *this;
		}
		operator int() const
		{
			return fd;
		}
	};
	std::lock_guard<std::mutex> alone_;
	Fd fd_;
	int saved_[2] = {-1, -1};
};

/* Gives an environment variable another value while this lives; nullptr: removes it, for good. If other threads may
 * read variables meanwhile, it must be there before: adding one can move all. */
class Variable {
      public:
	Variable(const char *name, const char *value) : name_(name)
	{
		if (!value) {
			unsetenv(name);
			return;
		}
		set_ = true;
		if (const char *old = getenv(name)) {
			had_old_ = true;
			old_ = old;
		}
		setenv(name, value, 1);
	}
	~Variable()
	{
		if (!set_)
			return;
		if (had_old_)
			setenv(name_, old_.c_str(), 1);
		else
			unsetenv(name_);
	}
	Variable(const Variable &) = delete;
	Variable &operator=(const Variable &) = delete;

      private:
	const char *name_;
	bool set_ = false, had_old_ = false;
	std::string old_;
};

/* Makes "/" the working directory while this lives: clang and libbcc ask for its path, which can be too long, gone, or
 * in a place that we may not enter. (The last we could not return to either, so we stay in "/".) Other threads keep
 * theirs, unless a sandbox refuses that. */
class WorkingDirectory {
      public:
	WorkingDirectory() : fd_(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC))
	{
		unshare(CLONE_FS);
		moved_ = chdir("/") == 0;
	}
	~WorkingDirectory()
	{
		if (fd_ < 0)
			return;
		if (moved_ && fchdir(fd_) != 0)
			moved_ = false;
		close(fd_);
	}
	WorkingDirectory(const WorkingDirectory &) = delete;
	WorkingDirectory &operator=(const WorkingDirectory &) = delete;

      private:
	int fd_;
	bool moved_ = false;
};

/* When libbcc looks for kernel headers, it runs modprobe and tar from PATH, as root if we are root. */
const char *const PROGRAMS_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

} // namespace

namespace {

/* Runs body, and turns what it throws into an error. */
template <typename Body>
int
guarded(char *error, size_t error_sz, Body body)
{
	try {
		return body();
	} catch (const std::bad_alloc &) {
		set_error(error, error_sz, "out of memory");
		return -ENOMEM;
	} catch (const std::exception &e) {
		set_error(error, error_sz, std::string("libbcc threw: ") + e.what());
		return -EFAULT;
	} catch (...) {
		set_error(error, error_sz, "libbcc threw something unknown");
		return -EFAULT;
	}
}

std::string
with_capture(const std::string &what, Capture &capture)
{
	std::string printed = capture.take();

	return printed.empty() ? what : what + ": " + printed;
}

} // namespace

/* In place of libbcc's own function of that name: this module comes before libbcc when its calls are bound.
 *
 * With each compilation, libbcc asks whether the kernel has the helper bpf_probe_read_kernel, and hashes all of
 * /proc/kallsyms to find out (0.1 s). It came in one release (5.5) with bpf_probe_read_user, which our programs cannot
 * do without. So what is compiled is the same. */
extern "C" int
bcc_symcache_resolve_name(void *resolver, const char *module, const char *name, uint64_t *address)
{
	using resolve_name = int (*)(void *, const char *, const char *, uint64_t *);

	if (!module && strcmp(name, "bpf_probe_read_kernel") == 0) {
		*address = 1;
		return 0;
	}
	auto next = (resolve_name)dlsym(RTLD_NEXT, "bcc_symcache_resolve_name");
	return next ? next(resolver, module, name, address) : -1;
}

extern "C" const char *
bcc_shim_version(void)
{
	return LIBBCC_VERSION;
}

namespace {

/* Hands the maps and functions of a module to the caller; 0 or a negative errno value. */
int
hand_over(ebpf::BPFModule &module, const bcc_shim_sink &sink)
{
	for (size_t i = 0; i < module.num_tables(); i++) {
		struct bpf_map_info info = {};
		uint32_t info_sz = sizeof(info);
		const int fd = module.table_fd(i);

		if (bpf_obj_get_info(fd, &info, &info_sz) != 0)
			return -errno;
		const bcc_shim_map map = {
			module.table_name(i), info.type, info.key_size, info.value_size, info.max_entries,
			info.map_flags,       fd};
		sink.on_map(sink.cookie, &map);
	}
	for (size_t i = 0; i < module.num_functions(); i++) {
		const char *name = module.function_name(i);

		sink.on_function(sink.cookie, name, module.function_start(name), module.function_size(name));
	}
	return 0;
}

} // namespace

extern "C" int
bcc_shim_compile(const char *text, const char *const *cflags, size_t cflags_cnt, const char *kernel_tree,
		 const struct bcc_shim_sink *sink, char *error, size_t error_sz)
{
	return guarded(error, error_sz, [&] {
		std::vector<const char *> flags(cflags, cflags + cflags_cnt);
		/* libbcc takes the kernel tree from nowhere but the environment. */
		Variable tree("BCC_KERNEL_SOURCE", kernel_tree);
		Variable path("PATH", PROGRAMS_PATH);
		WorkingDirectory root;
		Capture capture;

		auto module = std::make_unique<ebpf::BPFModule>(0, nullptr, false);
		if (module->load_string(text, flags.data(), (int)flags.size()) != 0) {
			set_error(error, error_sz, with_capture("it cannot be compiled", capture));
			/* Destroying a module whose maps could not be created, libbcc 0.26 frees what it must not.
			 * So the module stays, reachable, until the program ends. */
			static std::vector<ebpf::BPFModule *> undead;
			undead.push_back(module.release());
			return -EINVAL;
		}
		int err = hand_over(*module, *sink);
		if (err)
			set_error(error, error_sz, with_capture(strerror(-err), capture));
		return err;
	});
}

extern "C" int
bcc_shim_attach_uprobe(int prog_fd, const char *event_name, const char *binary, uint64_t file_offset,
		       pid_t pid, uint32_t semaphore_file_offset, int *event_fd, char *error, size_t error_sz)
{
	*event_fd = -1;
	return guarded(error, error_sz, [&] {
		Capture capture;

		errno = 0;
		int fd = bpf_attach_uprobe(prog_fd, BPF_PROBE_ENTRY, event_name, binary, file_offset, pid,
					   semaphore_file_offset);
		if (fd < 0) {
			int err = errno ? -errno : -EPERM;

			set_error(error, error_sz, with_capture(strerror(-err), capture));
			return err;
		}
		*event_fd = fd;
		return 0;
	});
}

extern "C" void
bcc_shim_forget_event(const char *event_name)
{
	guarded(nullptr, 0, [&] {
		Capture capture;

		bpf_detach_uprobe(event_name);
		return 0;
	});
}
