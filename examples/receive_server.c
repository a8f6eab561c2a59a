/* Prints what each client sends, with its address, and answers each message.
 * Build it with the project, run it in one of its forms, and type lines:
 *   build/bin/receive_server --strategy=threading
 *   build/bin/receive_server --strategy=forking
 *   nc 127.0.0.1 7777 */
#include "program.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

/* Appends the character at data to line: as it is if a terminal can show it,
 * otherwise escaped, as it might command the terminal.  Returns the number of
 * its bytes, of which there are at most n. */
static size_t append_character(char **line, const char *data, size_t n)
{
    wchar_t character;
    mbstate_t state = {0};
    size_t len = mbrtowc(&character, data, n, &state);

    if (len > 0 && len <= n && iswprint((wint_t)character)) {
        memcpy(*line, data, len);
        *line += len;
        return len;
    }
    if (*data == '\n')
        *line += sprintf(*line, "\\n");
    else
        *line += sprintf(*line, "\\x%02x", (unsigned char)*data);
    return 1;
}

static void print_message(const char *client, const char *data, size_t n)
{
    char line[4 * BUFSIZ + 1] = "";
    char *end = line;

    for (size_t i = 0; i < n;)
        i += append_character(&end, data + i, n - i);
    *end = '\0';
    /* At once, as a forked child leaves without flushing; and in one piece,
     * as others print too. */
    printf("%s: %s\n", client, line);
    fflush(stdout);
}

static int receive(sks_request *request)
{
    sks_rfile *in = sks_request_rfile(request);
    char message[BUFSIZ];
    ssize_t n;

    while ((n = sks_rfile_read1(in, message, sizeof message)) > 0) {
        print_message(sks_request_client_address(request), message, (size_t)n);
        sks_wfile_puts(sks_request_wfile(request), "Receive your msg");
    }
    return (int)n;
}

int main(int argc, char **argv)
{
    static const struct program program = {
        .name = "receive_server",
        .about = "Prints what clients send and answers them.",
        .kinds = PROGRAM_ALL_KINDS};
    const sks_handler handler = {.size = sizeof handler, .handle = receive};
    struct program_options options = {.host = "127.0.0.1",
                                      .port = 7777,
                                      .strategy = sks_threading()};
    const struct program_line line = {.doing = "receive on"};

    setlocale(LC_CTYPE, "");
    program_read_options(&program, &options, NULL, argc, argv);
    return program_serve(&program, &options,
                         program_new_server(&options, &handler), &line);
}
