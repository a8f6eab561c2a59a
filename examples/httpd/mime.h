/* Media types by the ends of names. */
#ifndef HTTP_MIME_H
#define HTTP_MIME_H

struct http_mime;

/** Reads a file of types, such as /etc/mime.types; types that it lacks come
 * from a table of the most common ones.
 * @param fallback the type of unknown ends, kept
 * @return NULL when out of memory */
struct http_mime *http_mime_new(const char *path, const char *fallback);

/** Frees it. */
void http_mime_free(struct http_mime *mime);

/** The type of a file of that name; lives as long as mime.  Text has no
 * charset yet: see http_mime_charset(). */
const char *http_mime_find(const struct http_mime *mime, const char *name);

/** "; charset=utf-8" for types of text, "" for others. */
const char *http_mime_charset(const char *type);

/** True if files of the type are worth compressing. */
int http_mime_is_compressible(const char *type);

#endif /* HTTP_MIME_H */
