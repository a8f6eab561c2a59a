/* One upload: into a file that nobody sees, and by one step into its place.
 *
 *     begin -> write ... -> commit        stored, or an error and nothing
 *                        -> abandon       nothing
 *                        -> keep          the beginning, for a later begin
 *
 * The file has no name where the system can do that, else a hidden one.  If
 * the process is killed, the former is gone at once, the latter at the next
 * start.  A beginning that is kept has a hidden name made of the user, the
 * name, the size and the client's ID. */
#ifndef FILELIB_UPLOAD_H
#define FILELIB_UPLOAD_H

#include "library.h"
#include "protocol.h"

/** What a client wants to upload.  The strings are copied. */
struct upload_order {
    const char *user;
    const char *name;
    const char *id; /**< "": the upload cannot be resumed */
    int64_t size;
    int replace;
};

struct upload;

/** Starts an upload, or goes on with one that was kept.
 * @param busy called now and then while a beginning is read; see
 *             digest_add_file()
 * @return 0 or an error: -EEXIST, -EROFS, -EPERM, -EFBIG, -ENOSPC, -EDQUOT,
 *         -EACCES if replacing is not allowed, -EBUSY if another upload of this
 *         ID is under way, busy's, or the system's */
int upload_begin(struct upload **out, const struct library *library,
                 const struct upload_order *order, int (*busy)(void *arg),
                 void *arg);

/** How many bytes are there already. */
int64_t upload_received(const struct upload *upload);

/** Where the next bytes are to be put; n receives how many fit. */
char *upload_room(struct upload *upload, size_t *n);

/** Adds n bytes that were put there.
 * @return 0 or an error: -EMSGSIZE if they are too many */
int upload_write(struct upload *upload, size_t n);

/** Puts the file in its place, safely on disk, and ends the upload, whatever
 * comes.  @return 0 or an error: -EEXIST, -ENODATA if bytes are missing,
 * -EBADMSG if the digest is another, -EDQUOT, -ENOSPC, or the system's */
int upload_commit(struct upload *upload,
                  const unsigned char digest[PROTOCOL_DIGEST]);

/** Ends the upload; nothing stays.  Accepts NULL. */
void upload_abandon(struct upload *upload);

/** Ends the upload; what came stays if it can be resumed.  Accepts NULL. */
void upload_keep(struct upload *upload);

#endif
