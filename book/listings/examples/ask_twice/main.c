#include <stdio.h>
#include <sys/select.h>
#include <sys/socket.h>

int main(void) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
        perror("socketpair");
        return 1;
    }
    int near = pair[0], far = pair[1];
    fd_set inputs;
    FD_ZERO(&inputs);
    FD_SET(near, &inputs);
    struct timeval timeout = {.tv_usec = 50000};

    printf("first: %d ready\n", select(near + 1, &inputs, NULL, NULL, &timeout));
    printf("the set holds %d and the timeout is %ld.%02ld\n", FD_ISSET(near, &inputs) != 0,
           (long)timeout.tv_sec, (long)timeout.tv_usec);

    if (send(far, "hello", 5, 0) < 0) {
        perror("send");
        return 1;
    }
    printf("second: %d ready\n", select(near + 1, &inputs, NULL, NULL, &timeout));
}
