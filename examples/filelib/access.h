/* Who may use the library: those who prove that they know a token of the token
 * file, and on a Unix socket the server's own user and root.  Without a token
 * file everybody may. */
#ifndef FILELIB_ACCESS_H
#define FILELIB_ACCESS_H

#include "protocol.h"

/** Whether the token file can be used: a line "USER TOKEN" each, tokens of 16
 * to 255 printable bytes; empty lines and those that start with '#' are passed
 * over.  Others than its owner and group must not be able to read it.
 * @return NULL, or a sentence about what is wrong; static */
const char *access_check_file(const char *path);

/** Whether a proof is that of the user.  The file is read each time, so that a
 * change counts at once.  A user that it lacks takes as long as another. */
int access_prove(const char *path, const char *user, const char *nonce,
                 const unsigned char proof[PROTOCOL_DIGEST]);

/** Reads a token from a file of a client: its first line.
 * @return 0, or -1 if there is none that fits */
int access_read_token(const char *path, char *token, size_t size);

/** Who the peer of a Unix socket is, as "uid:1000".
 * @return 1 if it is the server's own user or root, 0 if not, -1 if the socket
 *         tells nothing of its peer */
int access_peer(int fd, char *user, size_t size);

#endif
