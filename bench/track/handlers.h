/*
 * bench/track/handlers.h: what the program's requests do, as a template over where memory comes from.
 * No include guard: program.c includes it twice, after defining
 *
 *     NAMED(name)         the name of a function or type of this inclusion
 *     TAKE(m, size)       memory of the request m; never NULL
 *     GROW(m, p, old, n)  what was taken with `old` bytes, with n
 *     DROP(m, p)          what is no longer needed
 *     FREES               1: what is taken must be dropped
 *
 * A request is a query of fields, "name=value&...". It is parsed into a list, the values decoded;
 * sorted; grouped under their first letters in a tree; and answered as JSON in a text that grows. So
 * it is some 150 small blocks, and work on what is in them.
 */

typedef struct NAMED(field) {
    struct NAMED(field) * next;
    char *name, *value;
} NAMED(field);

typedef struct NAMED(group) {
    struct NAMED(group) * left, *right;
    NAMED(field) * first, **last;
    char letter;
} NAMED(group);

typedef struct NAMED(text) {
    char *bytes;
    size_t len, size;
} NAMED(text);

/* ---- parsing ----------------------------------------------------------------------------------- */

static BENCH_NOINLINE char *NAMED(decoded)(memory *m, const char *from, size_t len)
{
    char *to = TAKE(m, len + 1), *at = to;
    for (size_t i = 0; i < len; i++) {
        bool escaped = from[i] == '%' && i + 2 < len;
        *at++ = from[i] == '+' ? ' ' : escaped ? (char)hex_of(from + i + 1) : from[i];
        if (escaped) i += 2;
    }
    *at = '\0';
    return to;
}

static BENCH_NOINLINE NAMED(field) * NAMED(parse)(memory *m, const char *query)
{
    NAMED(field) *first = NULL, **last = &first;
    while (*query) {
        size_t len = strcspn(query, "&"), name = strcspn(query, "=&");
        NAMED(field) *f = TAKE(m, sizeof *f);
        f->name = NAMED(decoded)(m, query, name);
        f->value = NAMED(decoded)(m, query + name + 1, len - name - 1);
        f->next = NULL;
        *last = f;
        last = &f->next;
        query += len + (query[len] == '&');
    }
    return first;
}

/* ---- sorting and grouping ---------------------------------------------------------------------- */

static BENCH_NOINLINE NAMED(field) * NAMED(sorted)(NAMED(field) * list)
{
    NAMED(field) *done = NULL;
    while (list) {
        NAMED(field) *f = list, **at = &done;
        list = f->next;
        while (*at && strcmp((*at)->value, f->value) < 0) at = &(*at)->next;
        f->next = *at;
        *at = f;
    }
    return done;
}

static NAMED(group) * *NAMED(group_at)(NAMED(group) * *root, char letter)
{
    while (*root && (*root)->letter != letter)
        root = letter < (*root)->letter ? &(*root)->left : &(*root)->right;
    return root;
}

static BENCH_NOINLINE NAMED(group) * NAMED(grouped)(memory *m, NAMED(field) * list)
{
    NAMED(group) *root = NULL;
    while (list) {
        NAMED(field) *f = list;
        NAMED(group) **at = NAMED(group_at)(&root, f->name[0]), *g = *at;
        list = f->next;
        if (!g) {
            g = *at = TAKE(m, sizeof *g);
            *g = (NAMED(group)){NULL, NULL, NULL, &g->first, f->name[0]};
        }
        f->next = NULL;
        *g->last = f;
        g->last = &f->next;
    }
    return root;
}

/* ---- answering --------------------------------------------------------------------------------- */

static void NAMED(add)(memory *m, NAMED(text) * t, const char *bytes, size_t len)
{
    if (t->size - t->len < len) {
        size_t size = 2 * (t->len + len) + 32;
        t->bytes = GROW(m, t->bytes, t->size, size);
        t->size = size;
    }
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
}

static void NAMED(quote)(memory *m, NAMED(text) * t, const char *s)
{
    NAMED(add)(m, t, "\"", 1);
    for (size_t len; *s; s += len) {
        if (strchr("\"\\", *s)) NAMED(add)(m, t, "\\", 1);
        len = 1 + strcspn(s + 1, "\"\\");
        NAMED(add)(m, t, s, len);
    }
    NAMED(add)(m, t, "\"", 1);
}

static BENCH_NOINLINE void NAMED(write)(memory *m, NAMED(text) * t, const NAMED(group) * g)
{
    if (!g) return;
    NAMED(write)(m, t, g->left);
    for (const NAMED(field) *f = g->first; f; f = f->next) {
        NAMED(quote)(m, t, f->name);
        NAMED(add)(m, t, ":", 1);
        NAMED(quote)(m, t, f->value);
        NAMED(add)(m, t, ",", 1);
    }
    NAMED(write)(m, t, g->right);
}

#if FREES
static void NAMED(drop)(memory *m, NAMED(group) * g)
{
    if (!g) return;
    NAMED(drop)(m, g->left);
    NAMED(drop)(m, g->right);
    for (NAMED(field) *f = g->first, *next; f; f = next) {
        next = f->next;
        DROP(m, f->name);
        DROP(m, f->value);
        DROP(m, f);
    }
    DROP(m, g);
}
#endif

/* Return a sum of the answer, which does not depend on where memory came from. */
static BENCH_NOINLINE uint64_t NAMED(handle)(memory *m, const char *query)
{
    NAMED(text) answer = {NULL, 0, 0};
    NAMED(group) *groups = NAMED(grouped)(m, NAMED(sorted)(NAMED(parse)(m, query)));
    NAMED(write)(m, &answer, groups);
    uint64_t sum = sum_of(answer.bytes, answer.len);
#if FREES
    NAMED(drop)(m, groups);
    DROP(m, answer.bytes);
#endif
    return sum;
}
