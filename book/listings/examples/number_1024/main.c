#undef _FORTIFY_SOURCE // with it, glibc ends the program at FD_SET
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>

int main(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < 1025) {
        puts("skipped: this system gives out no descriptor 1024");
        return 0;
    }
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
        perror("socketpair");
        return 1;
    }
    int number = fcntl(pair[0], F_DUPFD, 1024);

    // Something of ours lies behind the set.
    struct {
        fd_set set;
        volatile unsigned long behind;
    } memory;
    FD_ZERO(&memory.set);
    memory.behind = 0;
    printf("the set has room for %d, behind it is %lu\n", FD_SETSIZE, memory.behind);
    FD_SET(number, &memory.set);
    printf("after FD_SET(%d), behind it is %lu\n", number, memory.behind);
    struct timeval timeout = {0};
    int ready = select(number + 1, &memory.set, NULL, NULL, &timeout);
    printf("select: %d ready, behind it is %lu\n", ready, memory.behind);
}
