/* A real shortage of descriptors, where the library needs one that fault.h does
 * not stand before, or where it matters that others get none either. */
#ifndef SUPPORT_SHORTAGE_H
#define SUPPORT_SHORTAGE_H

/* From now on this process can open only so many descriptors more; which ends
 * with shortage_end().  One at a time. */
void shortage_begin(int spare);
void shortage_end(void);

#endif
