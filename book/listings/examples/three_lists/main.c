#include <stdio.h>
#include <sys/select.h>
#include <sys/socket.h>

static const char *word(int truth) { return truth ? "True" : "False"; }

int main(void) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || send(pair[1], "hello", 5, 0) < 0) {
        perror("socketpair");
        return 1;
    }
    int near = pair[0], far = pair[1];
    int highest = near > far ? near : far;

    fd_set readable, writable, exceptional;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_ZERO(&exceptional);
    FD_SET(near, &readable);
    FD_SET(far, &readable);
    FD_SET(near, &writable);
    FD_SET(near, &exceptional);
    struct timeval timeout = {.tv_sec = 20};
    int ready = select(highest + 1, &readable, &writable, &exceptional, &timeout);

    printf("near is readable: %s\n", word(FD_ISSET(near, &readable)));
    printf("far is readable: %s\n", word(FD_ISSET(far, &readable)));
    printf("near is writable: %s\n", word(FD_ISSET(near, &writable)));
    printf("near is exceptional: %s\n", word(FD_ISSET(near, &exceptional)));
    printf("ready, all in all: %d\n", ready);
}
