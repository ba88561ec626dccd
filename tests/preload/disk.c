/* A disk that fails as the file named in TEST_DISK says, now: "CALL ERRNO PART" makes each CALL (write, sync) on a
   file whose path has PART in it fail so; errno 0 kills the process in its place. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(const char *call, int file) {
    char said[200] = "", wanted[20], part[100], link[40], path[500] = "";
    int error, orders = open(getenv("TEST_DISK"), O_RDONLY);
    if (orders < 0) return 0;
    (void)!syscall(SYS_read, orders, said, sizeof said - 1);
    close(orders);
    if (sscanf(said, "%19s %d %99s", wanted, &error, part) != 3 || strcmp(call, wanted)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if (readlink(link, path, sizeof path - 1) < 0 || !strstr(path, part)) return 0;
    if (!error) raise(SIGKILL);
    errno = error;
    return 1;
}

ssize_t write(int file, const void *data, size_t size) {
    return fails("write", file) ? -1 : syscall(SYS_write, file, data, size);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t where) {
    return fails("write", file) ? -1 : syscall(SYS_pwrite64, file, data, size, where);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t where) {
    return pwrite64(file, data, size, where);
}

int fsync(int file) {
    return fails("sync", file) ? -1 : (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    return fails("sync", file) ? -1 : (int)syscall(SYS_fdatasync, file);
}
