/*
 * ebb/template.h: what the template headers (vec_of.h, map_of.h, ...) are written with. Not for
 * users: they define the template's arguments and include it.
 *
 * A template's arguments are one macro, `#define EBB_VEC nodes, struct node`; its header counts
 * them, so that a wrong number is one line of error at the user's include, and takes them apart.
 */
#ifndef EBB_TEMPLATE_H
#define EBB_TEMPLATE_H

/* Errors in a user's call are then told without the macros that the names are made with. */
#ifndef EBB__SHOW_TEMPLATE_WARNINGS
#pragma GCC system_header
#endif

/* How many arguments, 1 to 8. In an #if: EBB__COUNT(EBB_VEC) == 2. */
#define EBB__COUNT(...) EBB__NINTH(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)

#define EBB__NINTH(a, b, c, d, e, f, g, h, n, ...) n

/* The n-th argument. */
#define EBB__ARG1(...)                 EBB__ARG1_(__VA_ARGS__, 0)
#define EBB__ARG1_(a, ...)             a
#define EBB__ARG2(...)                 EBB__ARG2_(__VA_ARGS__, 0, 0)
#define EBB__ARG2_(a, b, ...)          b
#define EBB__ARG3(...)                 EBB__ARG3_(__VA_ARGS__, 0, 0, 0)
#define EBB__ARG3_(a, b, c, ...)       c
#define EBB__ARG4(...)                 EBB__ARG4_(__VA_ARGS__, 0, 0, 0, 0)
#define EBB__ARG4_(a, b, c, d, ...)    d
#define EBB__ARG5(...)                 EBB__ARG5_(__VA_ARGS__, 0, 0, 0, 0, 0)
#define EBB__ARG5_(a, b, c, d, e, ...) e

/* Join two names after both are expanded. */
#define EBB__PASTE(a, b)  EBB__PASTE_(a, b)
#define EBB__PASTE_(a, b) a##b

/* One line of error at the include, where an argument is of a type that can't be. */
#ifdef __cplusplus
#define EBB__ASSERT(is_so, text) static_assert(is_so, text)
#else
#define EBB__ASSERT(is_so, text) _Static_assert(is_so, text)
#endif

/* A name as a string, after it is expanded. */
#define EBB__TEXT(name)  EBB__TEXT_(name)
#define EBB__TEXT_(name) #name

#endif /* EBB_TEMPLATE_H */
