#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1) < 0
        || getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
        perror("listen");
        return 1;
    }
    int client = socket(AF_INET, SOCK_STREAM, 0);
    int answer = connect(client, (struct sockaddr *)&address, length);
    printf("somebody listens: connect returned %d\n", answer);
    close(listener);

    client = socket(AF_INET, SOCK_STREAM, 0);
    answer = connect(client, (struct sockaddr *)&address, length);
    printf("nobody listens: connect returned %d", answer);
    printf(errno == ECONNREFUSED ? ", and errno is ECONNREFUSED\n" : "\n");
}
