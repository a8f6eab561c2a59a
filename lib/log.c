/* Log lines, and what becomes of a request's error. */
#include "error.h"
#include "fd.h"
#include "server.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 512 };

/* One write(2), so that lines of several workers do not mix.  If nobody reads
 * them any more, that is no reason to die of SIGPIPE. */
static void to_standard_error(const char *text)
{
    char line[LINE_SIZE + 16];
    int n = snprintf(line, sizeof line, "sockserver: %s\n", text);

    sks__fd_write_all(STDERR_FILENO, line, (size_t)n);
}

void sks_server_log(sks_server *server, int level, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list args;

    if (server->hooks.log == NULL && level > SKS_WARNING)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (server->hooks.log != NULL)
        server->hooks.log(server->hooks.log_arg, level, text);
    else
        to_standard_error(text);
}

void sks__server_handle_error(sks_server *server, const sks_request *request,
                              int error)
{
    const struct sks__hooks *hooks = &server->hooks;

    if (sks__error_is_clients_end(error)) {
        sks_server_log(server, SKS_DEBUG, "%s went away",
                       sks_request_client_address(request));
        return;
    }
    atomic_fetch_add(&server->tally->failed, 1);
    if (hooks->handle_error != NULL)
        hooks->handle_error(hooks->handle_error_arg, request, error);
    else
        sks_server_log(server, SKS_ERROR, "request from %s failed: %s (%d)",
                       sks_request_client_address(request), sks_strerror(error),
                       error);
}
