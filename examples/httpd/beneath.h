/* Opening what lies beneath a directory, and never anything outside it,
 * whatever the path says and whatever changes meanwhile. */
#ifndef HTTP_BENEATH_H
#define HTTP_BENEATH_H

/** Opens a file or directory for reading; does not wait for FIFOs.  Symbolic
 * links are followed where the system keeps them beneath the directory
 * (openat2(2) of Linux), and not at all elsewhere.
 * @param root descriptor of the directory
 * @param path relative; "" is the directory itself
 * @return a descriptor, or an errno negated */
int http_open_beneath(int root, const char *path);

/** The same without openat2(2): component by component. */
int http_open_by_walk(int root, const char *path);

/** The status that tells a client about such an error. */
int http_open_status(int error);

#endif /* HTTP_BENEATH_H */
