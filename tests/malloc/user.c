/*
 * tests/malloc/user.c: what a program may open at run time, and that calls malloc.
 */
#include <stdlib.h>

void *user_take(size_t size);

void *user_take(size_t size)
{
    void *p = malloc(size);
    __asm__ volatile("" : "+r"(p)); /* not by a jump: the call's place is to be here */
    return p;
}
