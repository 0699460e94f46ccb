/* Lets one file-system call of a process fail, or kills the process at it. Loaded before libc by LD_PRELOAD.
 *
 * Calls are counted whose path, or whose descriptor's path, lies under one folder, in all threads of the process. `arm` starts
 * the count. The call with the given number fails with the given errno, or is never made because SIGKILL comes first.
 * All other calls go through. Reads are counted too: a disk may fail them.
 *
 * Built and called by `faulty_disk.py`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define KILL -1
#define NAMED 96

static char folder[PATH_MAX];
static size_t folder_length;
static atomic_int armed, counted, failing_number, failing_errno, is_recording;
static char record_path[PATH_MAX];

/* Start counting under a folder; number 0 lets every call through. Calls are listed in a file where one is named. */
void faults_arm(const char *under, int number, int error, const char *record)
{
    snprintf(folder, sizeof folder, "%s", under);
    folder_length = strlen(folder);
    snprintf(record_path, sizeof record_path, "%s", record);
    atomic_store(&is_recording, record_path[0] != 0);
    atomic_store(&counted, 0);
    atomic_store(&failing_number, number);
    atomic_store(&failing_errno, error);
    atomic_store(&armed, 1);
}

/* Stop counting; return how many calls were counted. */
int faults_disarm(void)
{
    atomic_store(&armed, 0);
    return atomic_load(&counted);
}

static int is_under(const char *path)
{
    return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || path[folder_length] == 0);
}

static int path_of_descriptor(int fd, char *path, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return 1;
}

static void record(int number, const char *name, const char *path)
{
    static ssize_t (*real_write)(int, const void *, size_t);
    static int (*real_open)(const char *, int, ...);
    if (!real_write) {
        real_write = dlsym(RTLD_NEXT, "write");
        real_open = dlsym(RTLD_NEXT, "open");
    }
    char line[PATH_MAX + NAMED];
    int length = snprintf(line, sizeof line, "%d %s %s\n", number, name, path + folder_length);
    int fd = real_open(record_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) {
        if (real_write(fd, line, (size_t)length) < 0)
            _exit(99);
        close(fd);
    }
}

/* Count a call on a path; say whether it has to fail. */
static int fails_at(const char *name, const char *path)
{
    if (!atomic_load(&armed) || path == NULL || !is_under(path))
        return 0;
    int saved = errno, number = atomic_fetch_add(&counted, 1) + 1;
    if (atomic_load(&is_recording))
        record(number, name, path);
    errno = saved;
    if (number != atomic_load(&failing_number))
        return 0;
    if (atomic_load(&failing_errno) == KILL)
        kill(getpid(), SIGKILL);
    errno = atomic_load(&failing_errno);
    return 1;
}

static int fails_on(const char *name, int fd)
{
    char path[PATH_MAX];
    if (!atomic_load(&armed))
        return 0;
    int saved = errno;
    int is_known = path_of_descriptor(fd, path, sizeof path);
    errno = saved;
    return is_known && fails_at(name, path);
}

/* A path relative to the descriptor of a folder. */
static int fails_in(const char *name, int at, const char *path)
{
    char whole[PATH_MAX];
    if (!atomic_load(&armed) || path == NULL)
        return 0;
    if (path[0] == '/' || at == AT_FDCWD)
        return fails_at(name, path);
    int saved = errno;
    int is_known = path_of_descriptor(at, whole, sizeof whole);
    errno = saved;
    size_t length = is_known ? strlen(whole) : 0;
    if (!is_known || length + strlen(path) + 2 > sizeof whole)
        return 0;
    snprintf(whole + length, sizeof whole - length, "/%s", path);
    return fails_at(name, whole);
}

#define REAL(type, name, ...)                                                                                                  \
    static type (*real)(__VA_ARGS__);                                                                                          \
    if (!real)                                                                                                                 \
        real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name);

#define OPEN(name)                                                                                                             \
    int name(const char *path, int flags, ...)                                                                                 \
    {                                                                                                                          \
        REAL(int, name, const char *, int, ...)                                                                                \
        mode_t mode = 0;                                                                                                       \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                                                                 \
            va_list rest;                                                                                                      \
            va_start(rest, flags);                                                                                             \
            mode = va_arg(rest, mode_t);                                                                                       \
            va_end(rest);                                                                                                      \
        }                                                                                                                      \
        return fails_at("open", path) ? -1 : real(path, flags, mode);                                                          \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                           \
    int name(int at, const char *path, int flags, ...)                                                                         \
    {                                                                                                                          \
        REAL(int, name, int, const char *, int, ...)                                                                           \
        mode_t mode = 0;                                                                                                       \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                                                                 \
            va_list rest;                                                                                                      \
            va_start(rest, flags);                                                                                             \
            mode = va_arg(rest, mode_t);                                                                                       \
            va_end(rest);                                                                                                      \
        }                                                                                                                      \
        return fails_in("openat", at, path) ? -1 : real(at, path, flags, mode);                                                \
    }
OPENAT(openat)
OPENAT(openat64)

/* Calls on a descriptor, without it and with further arguments. */
#define ON_DESCRIPTOR(type, name, told, params, values)                                                                        \
    type name params                                                                                                           \
    {                                                                                                                          \
        static type(*real) params;                                                                                             \
        if (!real)                                                                                                             \
            real = (type(*) params)dlsym(RTLD_NEXT, #name);                                                                    \
        return fails_on(told, fd) ? -1 : real values;                                                                          \
    }
ON_DESCRIPTOR(ssize_t, read, "read", (int fd, void *data, size_t size), (fd, data, size))
ON_DESCRIPTOR(ssize_t, pread, "pread", (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
ON_DESCRIPTOR(ssize_t, pread64, "pread", (int fd, void *data, size_t size, off64_t at), (fd, data, size, at))
ON_DESCRIPTOR(ssize_t, write, "write", (int fd, const void *data, size_t size), (fd, data, size))
ON_DESCRIPTOR(ssize_t, pwrite, "pwrite", (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
ON_DESCRIPTOR(ssize_t, pwrite64, "pwrite", (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
ON_DESCRIPTOR(ssize_t, writev, "writev", (int fd, const struct iovec *parts, int count), (fd, parts, count))
ON_DESCRIPTOR(ssize_t, pwritev, "pwritev", (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
ON_DESCRIPTOR(ssize_t, pwritev64, "pwritev", (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at))
ON_DESCRIPTOR(int, fsync, "fsync", (int fd), (fd))
ON_DESCRIPTOR(int, fdatasync, "fdatasync", (int fd), (fd))
ON_DESCRIPTOR(int, ftruncate, "ftruncate", (int fd, off_t size), (fd, size))
ON_DESCRIPTOR(int, ftruncate64, "ftruncate", (int fd, off64_t size), (fd, size))
ON_DESCRIPTOR(int, fallocate, "fallocate", (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
ON_DESCRIPTOR(int, fallocate64, "fallocate", (int fd, int mode, off64_t at, off64_t size), (fd, mode, at, size))

/* These return the error instead of setting errno. */
#define ALLOCATE(name, type)                                                                                                   \
    int name(int fd, type at, type size)                                                                                       \
    {                                                                                                                          \
        REAL(int, name, int, type, type)                                                                                       \
        return fails_on("fallocate", fd) ? errno : real(fd, at, size);                                                         \
    }
ALLOCATE(posix_fallocate, off_t)
ALLOCATE(posix_fallocate64, off64_t)

#define ON_PATH(name, params, values)                                                                                          \
    int name params                                                                                                            \
    {                                                                                                                          \
        static int(*real) params;                                                                                              \
        if (!real)                                                                                                             \
            real = (int(*) params)dlsym(RTLD_NEXT, #name);                                                                     \
        return fails_at(#name, path) ? -1 : real values;                                                                       \
    }
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(rmdir, (const char *path), (path))
ON_PATH(unlink, (const char *path), (path))
ON_PATH(truncate, (const char *path, off_t size), (path, size))
ON_PATH(truncate64, (const char *path, off64_t size), (path, size))

#define IN_FOLDER(name, params, values)                                                                                        \
    int name params                                                                                                            \
    {                                                                                                                          \
        static int(*real) params;                                                                                              \
        if (!real)                                                                                                             \
            real = (int(*) params)dlsym(RTLD_NEXT, #name);                                                                     \
        return fails_in(#name, at, path) ? -1 : real values;                                                                   \
    }
IN_FOLDER(mkdirat, (int at, const char *path, mode_t mode), (at, path, mode))
IN_FOLDER(unlinkat, (int at, const char *path, int flags), (at, path, flags))

/* A rename and a link are counted by their new name. */
#define BETWEEN_PATHS(name)                                                                                                    \
    int name(const char *from, const char *path)                                                                               \
    {                                                                                                                          \
        REAL(int, name, const char *, const char *)                                                                            \
        return fails_at(#name, path) ? -1 : real(from, path);                                                                  \
    }
BETWEEN_PATHS(rename)
BETWEEN_PATHS(link)

int renameat(int from_at, const char *from, int at, const char *path)
{
    REAL(int, renameat, int, const char *, int, const char *)
    return fails_in("renameat", at, path) ? -1 : real(from_at, from, at, path);
}

int renameat2(int from_at, const char *from, int at, const char *path, unsigned int flags)
{
    REAL(int, renameat2, int, const char *, int, const char *, unsigned int)
    return fails_in("renameat2", at, path) ? -1 : real(from_at, from, at, path, flags);
}

int linkat(int from_at, const char *from, int at, const char *path, int flags)
{
    REAL(int, linkat, int, const char *, int, const char *, int)
    return fails_in("linkat", at, path) ? -1 : real(from_at, from, at, path, flags);
}
