/* The admin socket: its place, its rights, and bytes through it within a time.
 *
 * Owns: the name admin.sock and its mode. A path of a socket may have 107 bytes, one of a data
 * directory 4000, so the directory is opened and the socket named from there. Failure modes: told
 * by errno, or in a sentence where a daemon starts. Refuses: to wait without an end for a client;
 * to let anybody in by the file's mode alone (admin_socket_is_ours asks the kernel, too). */
#define _GNU_SOURCE /* O_PATH, struct ucred */
#include "server/admin_socket.h"

#include "dispatcher/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME    "admin.sock"
#define BACKLOG 16
#define CHUNK   4096

/* An address that means the socket within the directory open as `fd`. */
static struct sockaddr_un address_in(int fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" NAME, fd);
    return address;
}

static int open_directory(const char *directory)
{
    return open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Closes both and keeps errno; always -1. */
static int give_up(int one, int other)
{
    int reason = errno;
    if (one >= 0)
        close(one);
    if (other >= 0)
        close(other);
    errno = reason;
    return -1;
}

static int bind_in(int directory)
{
    struct sockaddr_un address = address_in(directory);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    unlinkat(directory, NAME, 0);
    mode_t mask = umask(0177);
    int bound = bind(fd, (struct sockaddr *)&address, sizeof(address));
    umask(mask);
    return bound == 0 && listen(fd, BACKLOG) == 0 ? fd : give_up(fd, -1);
}

int admin_socket_listen(const char *directory, char *error, size_t error_bytes)
{
    int folder = open_directory(directory), fd = folder < 0 ? -1 : bind_in(folder);
    if (fd < 0)
        snprintf(error, error_bytes, "the admin socket %.200s/" NAME " cannot be made: %s",
                 directory, strerror(errno));
    if (folder >= 0)
        close(folder);
    return fd;
}

void admin_socket_remove(const char *directory)
{
    int folder = open_directory(directory);
    if (folder < 0)
        return;
    unlinkat(folder, NAME, 0);
    close(folder);
}

bool admin_socket_is_ours(int connection)
{
    struct ucred peer;
    socklen_t bytes = sizeof(peer);
    return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

int admin_socket_connect(const char *directory)
{
    int folder = open_directory(directory), fd;
    if (folder < 0)
        return -1;
    struct sockaddr_un address = address_in(folder);
    /* Where too many wait to be let in, connect waits as it would to send. */
    const struct timeval patience = {.tv_sec = ADMIN_PATIENCE_MS / 1000};
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return give_up(fd, folder);
    close(folder);
    return fd;
}

/* Waits until the socket can be read or written. */
static bool await(int connection, short events, int64_t end_ms, int stop)
{
    struct pollfd wanted[] = {{.fd = connection, .events = events}, {.fd = stop, .events = POLLIN}};
    for (;;) {
        int64_t left_ms = end_ms - clock_span_ms();
        if (left_ms <= 0) {
            errno = ETIMEDOUT;
            return false;
        }
        int ready = poll(wanted, 2, (int)left_ms);
        if (ready < 0 && errno != EINTR)
            return false;
        if (ready > 0 && wanted[1].revents != 0) {
            errno = ECANCELED;
            return false;
        }
        if (ready > 0)
            return true;
    }
}

bool admin_socket_read(int connection, struct json_out *in, size_t bytes_max,
                       struct admin_wait wait)
{
    int64_t end_ms = clock_span_ms() + wait.patience_ms;
    char chunk[CHUNK];
    while (await(connection, POLLIN, end_ms, wait.stop)) {
        ssize_t got = recv(connection, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (got == 0)
            return true;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (got > 0 && in->bytes + (size_t)got > bytes_max) {
            errno = EMSGSIZE;
            return false;
        }
        if (got > 0)
            json_out_bytes(in, chunk, (size_t)got);
    }
    return false;
}

bool admin_socket_write(int connection, struct text bytes, struct admin_wait wait)
{
    int64_t end_ms = clock_span_ms() + wait.patience_ms;
    while (bytes.bytes > 0) {
        ssize_t sent = send(connection, bytes.at, bytes.bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0)
            bytes = (struct text){bytes.at + sent, bytes.bytes - (size_t)sent};
        else if (errno == EAGAIN && !await(connection, POLLOUT, end_ms, wait.stop))
            return false;
        else if (errno != EAGAIN && errno != EINTR)
            return false;
    }
    return shutdown(connection, SHUT_WR) == 0;
}
