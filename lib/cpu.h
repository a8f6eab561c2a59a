#ifndef SKS__CPU_H
#define SKS__CPU_H

/* How many processors this process may run on; at least 1. */
unsigned sks__cpu_count(void);

#endif /* SKS__CPU_H */
