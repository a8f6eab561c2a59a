#include "access.h"

#include "digest.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_MIN = 16, TOKEN_MAX = 255, LINE = 512 };

/* A user and a token, which point into the line; 0 for a line without, -1 for
 * a malformed one. */
static int split_line(char *line, const char **user, const char **token)
{
    char *rest;

    if (line[strspn(line, " \t\r\n")] == '\0' || *line == '#')
        return 0;
    if (!strchr(line, '\n') && strlen(line) == LINE - 1)
        return -1;
    *user = strtok_r(line, " \t\r\n", &rest);
    *token = strtok_r(NULL, " \t\r\n", &rest);
    if (!*token || strtok_r(NULL, " \t\r\n", &rest))
        return -1;
    return strlen(*user) <= PROTOCOL_ID && strlen(*token) >= TOKEN_MIN &&
                   strlen(*token) <= TOKEN_MAX
               ? 1
               : -1;
}

const char *access_check_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[LINE];
    const char *user, *token;
    struct stat status;
    int users = 0, rc = 0;

    if (!file)
        return "it cannot be read";
    if (fstat(fileno(file), &status) < 0 || (status.st_mode & S_IROTH)) {
        fclose(file);
        return "everybody can read it";
    }
    while (rc >= 0 && fgets(line, sizeof line, file)) {
        rc = split_line(line, &user, &token);
        users += rc > 0;
    }
    fclose(file);
    if (rc < 0)
        return "a line is not a user and a token of 16 to 255 bytes";
    return users ? NULL : "it has no token";
}

/* Copies the user's token, or leaves what is there. */
static int find_token(const char *path, const char *wanted, char *token)
{
    FILE *file = fopen(path, "re");
    char line[LINE];
    const char *user, *text;
    int found = 0;

    while (file && fgets(line, sizeof line, file))
        if (split_line(line, &user, &text) > 0 && strcmp(user, wanted) == 0) {
            snprintf(token, TOKEN_MAX + 1, "%s", text);
            found = 1;
        }
    if (file)
        fclose(file);
    return found;
}

int access_prove(const char *path, const char *user, const char *nonce,
                 const unsigned char proof[PROTOCOL_DIGEST])
{
    char token[TOKEN_MAX + 1] = "no token of anybody";
    unsigned char right[PROTOCOL_DIGEST];
    int found = find_token(path, user, token);

    if (digest_proof(right, token, nonce, user) < 0)
        return 0;
    return digest_equal(right, proof) & found;
}

int access_read_token(const char *path, char *token, size_t size)
{
    FILE *file = fopen(path, "re");
    char *line = file ? fgets(token, (int)size, file) : NULL;

    if (file)
        fclose(file);
    if (!line)
        return -1;
    token[strcspn(token, "\r\n")] = '\0';
    return *token ? 0 : -1;
}

#ifdef SO_PEERCRED
int access_peer(int fd, char *user, size_t size)
{
    struct ucred peer;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &n) < 0 ||
        address.ss_family != AF_UNIX)
        return -1;
    n = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
        return -1;
    snprintf(user, size, "uid:%ju", (uintmax_t)peer.uid);
    return peer.uid == 0 || peer.uid == geteuid();
}
#else
int access_peer(int fd, char *user, size_t size)
{
    (void)fd;
    (void)user;
    (void)size;
    return -1;
}
#endif
