#include "client.h"

#include <string.h>

/* "SIZE MTIME NAME\n"; the line is cut up.  @return 0, or -1 if malformed */
static int pass_on(char *line, client_entry *each, void *arg, int *stopped)
{
    char name[PROTOCOL_NAME + 1];
    char *mtime = strchr(line, ' ');
    char *text = mtime ? strchr(mtime + 1, ' ') : NULL;
    int64_t size;

    if (!text)
        return -1;
    size = number_parse(line, (size_t)(mtime - line));
    *text++ = '\0';
    if (size < 0 || name_decode(name, text, strcspn(text, "\n")))
        return -1;
    if (!*stopped)
        *stopped = each(arg, name, size, mtime + 1);
    return 0;
}

enum status client_list(struct client *client, client_entry *each, void *arg)
{
    char line[PROTOCOL_LINE + 1];
    struct reply reply;
    enum status status = client_ask(client, &reply, "list", "LIST\n");
    int stopped = 0;

    while (status == STATUS_DONE && reply.length > 0) {
        ssize_t n = connection_read_line(client->connection, line, sizeof line);

        if (n < 0)
            return client_lose(client, "list", (int)n);
        reply.length -= n;
        if (reply.length < 0 || pass_on(line, each, arg, &stopped) < 0)
            return client_lose(client, "list", CONNECTION_BABBLE);
    }
    return status;
}
