/* Serves one request, whose client this program is itself. */
#include <sockserver.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int greet(sks_request *request)
{
    return sks_wfile_puts(sks_request_wfile(request), "hello");
}

static int connect_to(int port)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    perror("connect");
    return -1;
}

static int is_served(sks_server *server)
{
    char answer[6] = "";
    int fd = connect_to(sks_server_port(server));

    if (fd < 0 || sks_server_handle_request(server) != 1)
        return 0;
    if (recv(fd, answer, 5, MSG_WAITALL) != 5)
        return 0;
    close(fd);
    return strcmp(answer, "hello") == 0;
}

int main(void)
{
    sks_handler *handler = sks_handler_new(0, NULL, greet, NULL);
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, handler);
    int served = sks_server_bind(server) == 0 && is_served(server);

    printf("%s %s\n", sks_version(), served ? "served" : "failed");
    printf("%s\n", sks_server_error(server));
    sks_server_free(server);
    sks_handler_free(handler);
    return !served;
}
