#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static void wait_for(int fd) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    select(fd + 1, &set, NULL, NULL, NULL);
}

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), near = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1) < 0
        || getsockname(listener, (struct sockaddr *)&address, &length) < 0
        || connect(near, (struct sockaddr *)&address, length) < 0) {
        perror("connect");
        return 1;
    }
    int far = accept(listener, NULL, NULL);

    send(near, "hello", 5, 0);
    wait_for(far); // it has arrived,
    close(far);    // and nobody reads it: that is a reset

    wait_for(near);
    fd_set readable, writable, exceptional;
    FD_ZERO(&readable);
    FD_SET(near, &readable);
    writable = exceptional = readable;
    struct timeval zero = {0};
    select(near + 1, &readable, &writable, &exceptional, &zero);
    printf("readable: %d\n", FD_ISSET(near, &readable) != 0);
    printf("writable: %d\n", FD_ISSET(near, &writable) != 0);
    printf("exceptional: %d\n", FD_ISSET(near, &exceptional) != 0);
    char buffer[1024];
    if (recv(near, buffer, sizeof buffer, 0) < 0) {
        printf("recv: %s\n", strerror(errno));
    }
}
