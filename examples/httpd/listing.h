/* Pages that show what is in a directory, in HTML or JSON. */
#ifndef HTTP_LISTING_H
#define HTTP_LISTING_H

#include "files.h"

/** Answers with the directory at path, which is relative to the root, sorted
 * as the query says: "?sort=size&order=desc".
 * @return 0, a negative error, or a status */
int http_listing_serve(struct http_exchange *x, const struct http_files *files,
                       const char *path);

#endif /* HTTP_LISTING_H */
