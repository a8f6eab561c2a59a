/* The paths of Unix sockets: what is found there, and what is left. */
#include "contract.h"
#include "support/real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

static void make_echo(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);

    contract_make(c, &handler);
}

static int is_socket(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* A socket at the server's path, as another program would leave or hold it. */
static int other_socket(struct contract *c)
{
    struct sockaddr_storage address;
    socklen_t len = contract_address(c, &address);
    int fd = client_open(AF_UNIX, c->transport->type);

    assert_return_code(__real_bind(fd, (struct sockaddr *)&address, len),
                       errno);
    if (c->traits & CONTRACT_STREAM)
        assert_return_code(__real_listen(fd, 5), errno);
    return fd;
}

/* Descriptors can only be counted while nobody serves. */
static void expect_refusal(struct contract *c, int error)
{
    int before;

    make_echo(c);
    before = contract_descriptors_open();
    assert_int_equal(sks_server_bind(c->server), error);
    if (!c->serving.running)
        assert_int_equal(contract_descriptors_open(), before);
    assert_true(strlen(sks_server_error(c->server)) > 0);
    sks_server_close(c->server);
}

/* --- what is found --- */

static void a_stale_socket_is_replaced(struct contract *c)
{
    client_close(other_socket(c));
    assert_true(is_socket(c->path));
    contract_serve(c, contract_lines_handle);
    contract_echo(c);
}

static void a_live_socket_is_refused_and_lives_on(struct contract *c)
{
    int other = other_socket(c), fd;

    expect_refusal(c, -EADDRINUSE);
    assert_true(is_socket(c->path));
    fd = contract_connect(c);
    client_say(fd, "still there?");
    if (c->traits & CONTRACT_DATAGRAM)
        client_expect(other, "still there?");
}

static void our_own_live_socket_is_refused_too(struct contract *c)
{
    sks_server *first;

    contract_serve(c, contract_lines_handle);
    first = c->server;
    expect_refusal(c, -EADDRINUSE);
    contract_free(c);
    c->server = first;
    contract_echo(c);
}

/* Binding has to look whether somebody listens; who does must not be hurt. */
static void a_live_server_outlives_many_that_want_its_path(struct contract *c)
{
    sks_server *first;

    contract_serve(c, contract_lines_handle);
    first = c->server;
    for (int i = 0; i < 10; i++) {
        expect_refusal(c, -EADDRINUSE);
        contract_free(c);
    }
    c->server = first;
    contract_echo(c);
}

static void a_file_at_the_path_is_left_alone(struct contract *c)
{
    char came[16] = "";
    int file = open(c->path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    assert_int_equal(write(file, "precious", 8), 8);
    expect_refusal(c, -EADDRINUSE);
    contract_free(c);
    assert_false(is_socket(c->path));
    assert_int_equal(pread(file, came, sizeof came, 0), 8);
    close(file);
}

static void a_directory_at_the_path_is_left_alone(struct contract *c)
{
    assert_return_code(mkdir(c->path, 0700), errno);
    expect_refusal(c, -EADDRINUSE);
    contract_free(c);
    assert_return_code(rmdir(c->path), errno);
}

static void a_missing_directory_is_told(struct contract *c)
{
    snprintf(c->path, sizeof c->path, "%s/missing/server", c->directory);
    expect_refusal(c, -ENOENT);
}

/* --- what is left --- */

static void the_path_is_removed_on_close(struct contract *c)
{
    contract_serve(c, contract_lines_handle);
    assert_true(is_socket(c->path));
    contract_echo(c);
    assert_true(is_socket(c->path));
    contract_close(c);
    assert_int_equal(access(c->path, F_OK), -1);
}

static void a_path_that_another_took_over_stays(struct contract *c)
{
    struct stat status;

    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    unlink(c->path);
    other_socket(c);
    contract_close(c);
    contract_free(c);
    assert_return_code(stat(c->path, &status), errno);
}

static void a_path_that_is_gone_already_is_no_matter(struct contract *c)
{
    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    unlink(c->path);
    contract_close(c);
}

static void the_paths_of_a_failed_bind_are_removed(struct contract *c)
{
    char missing[128];

    snprintf(missing, sizeof missing, "%s/missing/server", c->directory);
    make_echo(c);
    sks_server_add_path(c->server, missing);
    assert_int_equal(sks_server_bind(c->server), -ENOENT);
    assert_int_equal(access(c->path, F_OK), -1);
}

static void the_path_of_an_adopted_socket_stays(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);
    struct sockaddr_storage address;
    socklen_t len = contract_address(c, &address);
    int fd = __real_socket(AF_UNIX, c->transport->type | SOCK_CLOEXEC, 0);

    assert_return_code(__real_bind(fd, (struct sockaddr *)&address, len),
                       errno);
    c->server = sks_fd_server_new(fd, &handler);
    contract_set_up(c);
    contract_start(c);
    contract_echo(c);
    contract_close(c);
    contract_free(c);
    assert_true(is_socket(c->path));
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* --- clients without a name --- */

static int address_handle(sks_request *request)
{
    struct contract *c = contract_of(request);

    trace_put(&c->trace, "%s", sks_request_client_address(request));
    return sks_wfile_puts(sks_request_wfile(request), "x");
}

static void a_client_without_a_name_is_called_unix(struct contract *c)
{
    struct sockaddr_storage address;
    socklen_t len = contract_address(c, &address);
    int fd;

    contract_serve(c, address_handle);
    fd = client_connect(c->transport->type, (struct sockaddr *)&address, len);
    client_say(fd, "x");
    trace_expect(&c->trace, "unix: ");
    client_close(fd);
    fd = contract_connect(c);
    client_say(fd, "x");
    client_expect(fd, "x");
}

static const struct contract_case paths[] = {
    CONTRACT_CASE(a_stale_socket_is_replaced),
    CONTRACT_CASE(a_live_socket_is_refused_and_lives_on),
    CONTRACT_CASE(our_own_live_socket_is_refused_too),
    CONTRACT_CASE(a_live_server_outlives_many_that_want_its_path),
    CONTRACT_CASE(a_file_at_the_path_is_left_alone),
    CONTRACT_CASE(a_directory_at_the_path_is_left_alone),
    CONTRACT_CASE(a_missing_directory_is_told),
    CONTRACT_CASE(the_path_is_removed_on_close),
    CONTRACT_CASE(a_path_that_another_took_over_stays),
    CONTRACT_CASE(a_path_that_is_gone_already_is_no_matter),
    CONTRACT_CASE(the_paths_of_a_failed_bind_are_removed),
    CONTRACT_CASE(the_path_of_an_adopted_socket_stays),
    CONTRACT_CASE(a_client_without_a_name_is_called_unix),
};

const struct contract_list contract_paths[] = {
    CONTRACT_LIST(CONTRACT_UNIX, paths),
    {0},
};
