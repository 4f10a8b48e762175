/* Echo servers as one writes them in C, with care, on poll(2) and on select(2): what the event loop is measured against.
 *
 * A connection that is ready is read once and answered with one send; what the kernel does not take is kept, and nothing
 * is read from that peer until it has taken it. The array of poll and the sets of select stay from one wait to the next.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 64 };

static char buffer[64 << 10];

/* What a peer has not taken yet. */
struct rest {
    char *bytes;
    size_t sent, length;
};

enum next { READ, WRITE, CLOSE };

static enum next keep(struct rest *rest, const char *bytes, size_t length)
{
    rest->bytes = malloc(length);
    if (rest->bytes == NULL)
        return CLOSE;
    memcpy(rest->bytes, bytes, length);
    rest->sent = 0;
    rest->length = length;
    return WRITE;
}

static void drop(struct rest *rest)
{
    free(rest->bytes);
    memset(rest, 0, sizeof *rest);
}

static enum next on_readable(int fd, struct rest *rest)
{
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? READ : CLOSE;
    if (got == 0)
        return CLOSE;
    ssize_t sent = send(fd, buffer, (size_t)got, MSG_NOSIGNAL);
    if (sent == got)
        return READ;
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return CLOSE;
        sent = 0;
    }
    return keep(rest, buffer + sent, (size_t)(got - sent));
}

static enum next on_writable(int fd, struct rest *rest)
{
    ssize_t sent = send(fd, rest->bytes + rest->sent, rest->length - rest->sent, MSG_NOSIGNAL);

    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? WRITE : CLOSE;
    rest->sent += (size_t)sent;
    if (rest->sent < rest->length)
        return WRITE;
    drop(rest);
    return READ;
}

/* Out of descriptors, or an error of the one that was to come: the next wait brings the others. */
static int take_in(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* The connections, packed: a slot of the array and what is kept for it have one index. The listener has the first. */
struct table {
    struct pollfd *fds;
    struct rest *rests;
    size_t count, room;
};

static bool grow(struct table *table)
{
    size_t room = table->room ? 2 * table->room : 64;
    struct pollfd *fds = realloc(table->fds, room * sizeof *fds);

    if (fds == NULL)
        return false;
    table->fds = fds;
    struct rest *rests = realloc(table->rests, room * sizeof *rests);
    if (rests == NULL)
        return false;
    table->rests = rests;
    table->room = room;
    return true;
}

static bool add(struct table *table, int fd)
{
    if (table->count == table->room && !grow(table))
        return false;
    table->fds[table->count] = (struct pollfd){ .fd = fd, .events = POLLIN };
    table->rests[table->count] = (struct rest){ 0 };
    table->count++;
    return true;
}

static void remove_at(struct table *table, size_t index)
{
    drop(&table->rests[index]);
    close(table->fds[index].fd);
    table->count--;
    table->fds[index] = table->fds[table->count];
    table->rests[index] = table->rests[table->count];
}

/* Returns when poll fails, with its errno. */
int echo_on_poll(int listener)
{
    struct table table = { 0 };

    if (!add(&table, listener))
        return ENOMEM;
    for (;;) {
        int ready = poll(table.fds, table.count, -1);

        if (ready < 0) {
            if (errno == EINTR)
                continue;
            return errno;
        }
        /* From the end: what takes the place of one that is removed has had its turn. */
        for (size_t i = table.count - 1; i > 0 && ready > 0; i--) {
            struct pollfd *slot = &table.fds[i];
            enum next next;

            if (slot->revents == 0)
                continue;
            ready--;
            if (slot->events & POLLOUT)
                next = on_writable(slot->fd, &table.rests[i]);
            else
                next = on_readable(slot->fd, &table.rests[i]);
            if (next == CLOSE)
                remove_at(&table, i);
            else
                slot->events = next == READ ? POLLIN : POLLOUT;
        }
        if (table.fds[0].revents == 0)
            continue;
        for (int i = 0; i < AT_ONCE; i++) {
            int fd = take_in(listener);

            if (fd < 0)
                break;
            if (!add(&table, fd)) {
                close(fd);
                break;
            }
        }
    }
}

/* Returns when select fails, with its errno. Connections whose number has no place in a set are closed. */
int echo_on_select(int listener)
{
    static struct rest rests[FD_SETSIZE];
    fd_set readable, writable;
    int highest = listener;

    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(listener, &readable);
    for (;;) {
        /* select overwrites its sets: it gets copies. */
        fd_set can_read = readable, can_write = writable;
        int ready = select(highest + 1, &can_read, &can_write, NULL, NULL);

        if (ready < 0) {
            if (errno == EINTR)
                continue;
            return errno;
        }
        for (int fd = highest; fd >= 0 && ready > 0; fd--) {
            bool reads = FD_ISSET(fd, &can_read), writes = FD_ISSET(fd, &can_write);
            enum next next;

            if (!reads && !writes)
                continue;
            ready--;
            if (fd == listener)
                continue;
            next = writes ? on_writable(fd, &rests[fd]) : on_readable(fd, &rests[fd]);
            if (next == READ && reads)
                continue;
            FD_CLR(fd, &readable);
            FD_CLR(fd, &writable);
            if (next == READ)
                FD_SET(fd, &readable);
            else if (next == WRITE)
                FD_SET(fd, &writable);
            else {
                drop(&rests[fd]);
                close(fd);
                while (!FD_ISSET(highest, &readable) && !FD_ISSET(highest, &writable))
                    highest--;
            }
        }
        if (!FD_ISSET(listener, &can_read))
            continue;
        for (int i = 0; i < AT_ONCE; i++) {
            int fd = take_in(listener);

            if (fd < 0)
                break;
            if (fd >= FD_SETSIZE) {
                close(fd);
                continue;
            }
            FD_SET(fd, &readable);
            if (fd > highest)
                highest = fd;
        }
    }
}
