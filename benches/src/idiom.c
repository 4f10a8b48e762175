/* What C programs write: the other side of the comparison, as the C compiler makes it.
 *
 * Each function is one turn of a loop without the reads: wait, then look who is ready. The sum of the
 * numbers stands for what a program does with them.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stddef.h>
#include <sys/select.h>

long idiom_poll(struct pollfd *fds, unsigned long n, const struct timespec *timeout)
{
    long sum = 0;

    if (ppoll(fds, n, timeout, NULL) < 0)
        return -1;
    for (unsigned long i = 0; i < n; i++)
        if (fds[i].revents)
            sum += fds[i].fd;
    return sum;
}

/* The careful form: it counts down, and does not look at the rest of the array. */
long idiom_poll_counting(struct pollfd *fds, unsigned long n, const struct timespec *timeout)
{
    long sum = 0;
    int found = ppoll(fds, n, timeout, NULL);

    if (found < 0)
        return -1;
    for (unsigned long i = 0; found > 0 && i < n; i++)
        if (fds[i].revents) {
            sum += fds[i].fd;
            found--;
        }
    return sum;
}

long idiom_walk(const fd_set *set, int highest)
{
    long sum = 0;

    for (int fd = 0; fd <= highest; fd++)
        if (FD_ISSET(fd, set))
            sum += fd;
    return sum;
}

static long walk_counting(const fd_set *set, int highest, int found)
{
    long sum = 0;

    for (int fd = 0; found > 0 && fd <= highest; fd++)
        if (FD_ISSET(fd, set)) {
            sum += fd;
            found--;
        }
    return sum;
}

/* select overwrites its set: the master copy is kept, a working copy is handed over. */
long idiom_select_kept(const fd_set *master, int highest)
{
    fd_set work = *master;
    struct timeval now = {0, 0};

    if (select(highest + 1, &work, NULL, NULL, &now) < 0)
        return -1;
    return idiom_walk(&work, highest);
}

long idiom_select_kept_counting(const fd_set *master, int highest)
{
    fd_set work = *master;
    struct timeval now = {0, 0};
    int found = select(highest + 1, &work, NULL, NULL, &now);

    if (found < 0)
        return -1;
    return walk_counting(&work, highest, found);
}

static int rebuild(fd_set *set, const int *fds, unsigned long n)
{
    int highest = -1;

    FD_ZERO(set);
    for (unsigned long i = 0; i < n; i++) {
        FD_SET(fds[i], set);
        if (fds[i] > highest)
            highest = fds[i];
    }
    return highest;
}

/* The set is made anew from the program's own list at each turn. */
long idiom_select_rebuilt(const int *fds, unsigned long n)
{
    fd_set work;
    struct timeval now = {0, 0};
    int highest = rebuild(&work, fds, n);

    if (select(highest + 1, &work, NULL, NULL, &now) < 0)
        return -1;
    return idiom_walk(&work, highest);
}

long idiom_select_rebuilt_counting(const int *fds, unsigned long n)
{
    fd_set work;
    struct timeval now = {0, 0};
    int highest = rebuild(&work, fds, n);
    int found = select(highest + 1, &work, NULL, NULL, &now);

    if (found < 0)
        return -1;
    return walk_counting(&work, highest, found);
}

/* FD_SET for each, as a task of its own. */
int idiom_insert(fd_set *set, const int *fds, unsigned long n)
{
    return rebuild(set, fds, n);
}
