/* Errors as this library passes them: negative, an errno negated or one of
 * SKS_E*.  sks_strerror() itself is public. */
#ifndef SKS__ERROR_H
#define SKS__ERROR_H

/* True if the error of a socket says that its peer went away. */
int sks__error_is_peer_gone(int error);

/* True if a handler's error says no more than that its client went away. */
int sks__error_is_clients_end(int error);

/* True if the error says that the system lacks something just now:
 * descriptors, memory, buffers. */
int sks__error_is_shortage(int error);

#endif /* SKS__ERROR_H */
