/*
 * examples/vmd/handlers.c: what each path does. In ebb mode a handler runs inside ebb_try with the scope
 * current, so jansson's memory is the scope's too.
 *
 * state_with and state_each hold a lock while they call back, and a failure would jump out with it held:
 * so the callbacks only copy into memory that was reserved before.
 */
#include "vmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- replies ----------------------------------------------------------------------------------- */

int reply_error(request *req, int status, const char *fmt, ...)
{
    char what[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    json_t *value = json_pack("{s:s}", "error", what);
    return reply_json(req, status, value);
}

static int add_to_reply(const char *bytes, size_t size, void *ctx)
{
    request *req = ctx;
    text_add(&req->reply, bytes, size);
    return req->reply.failed ? -1 : 0;
}

int reply_json(request *req, int status, json_t *value)
{
    req->reply.len = 0;
    if (!value || json_dump_callback(value, add_to_reply, req, JSON_COMPACT)) status = 507;
    text_add(&req->reply, "\n", 1);
    json_decref(value);
    return status;
}

/* ---- POST /vms --------------------------------------------------------------------------------- */

static bool is_name(const char *s)
{
    size_t n = strlen(s);
    if (n == 0 || n > NAME_MAX_LENGTH) return false;
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

/* The metadata, into `v`; NULL, or what is wrong with it. */
static const char *read_metadata(json_t *object, vm *v)
{
    const char *key;
    json_t *value;
    if (json_object_size(object) > METADATA_MAX) return "metadata has more than 32 entries";
    json_object_foreach(object, key, value)
    {
        const char *s = json_string_value(value);
        if (!s) return "metadata values must be strings";
        if (strlen(key) > NAME_MAX_LENGTH || json_string_length(value) > VALUE_MAX_LENGTH)
            return "a metadata key or value is too long";
        v->pair[v->pairs++] = (pair){key, s};
    }
    return NULL;
}

static const char *read_vm(json_t *body, vm *v, json_error_t *error)
{
    json_t *metadata = NULL;
    memset(v, 0, sizeof *v);
    if (json_unpack_ex(body, error, 0, "{s:s, s:s, s:i, s:i, s?o}", "name", &v->name, "tenant",
                       &v->tenant, "cpus", &v->cpus, "memory_mb", &v->memory_mb, "metadata",
                       &metadata))
        return error->text;
    if (!is_name(v->name)) return "name must be 1 to 64 letters, digits, '-', '_' or '.'";
    if (!is_name(v->tenant)) return "tenant must be 1 to 64 letters, digits, '-', '_' or '.'";
    if (v->cpus < 1 || v->cpus > 256) return "cpus must be 1 to 256";
    if (v->memory_mb < 1 || v->memory_mb > 1 << 22) return "memory_mb must be 1 to 4194304";
    if (metadata && !json_is_object(metadata)) return "metadata must be an object";
    return metadata ? read_metadata(metadata, v) : NULL;
}

/* A proposal's id follows from what is proposed, so that two servers give the same answer. */
static void set_id(vm *v)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *p = v->name; *p; p++) h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    for (const char *p = v->tenant; *p; p++) h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    snprintf(v->id, sizeof v->id, "prop-%016llx", (unsigned long long)h);
}

static json_t *vm_to_json(const vm *v)
{
    json_t *metadata = json_object();
    for (int i = 0; i < v->pairs; i++)
        json_object_set_new(metadata, v->pair[i].key, json_string(v->pair[i].value));
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:o}", "id", v->id, "name", v->name, "tenant",
                     v->tenant, "status", v->status, "cpus", v->cpus, "memory_mb", v->memory_mb,
                     "metadata", metadata);
}

static int create_vm(request *req, json_t *body)
{
    vm v;
    json_error_t error;
    const char *wrong = read_vm(body, &v, &error);
    if (wrong) return reply_error(req, 422, "%s", wrong);
    set_id(&v);
    v.status = "creating";
    switch (state_put(&v)) { /* copies: it outlives the request */
    case PUT_TAKEN: return reply_error(req, 409, "%s belongs to another tenant", v.name);
    case PUT_NO_MEMORY: return reply_error(req, 507, "no memory for another machine");
    case PUT_REPLACED: return reply_json(req, 200, vm_to_json(&v));
    default: return reply_json(req, 201, vm_to_json(&v));
    }
}

/* ---- GET and DELETE ---------------------------------------------------------------------------- */

/* One machine, with room for the strings that it points to. */
typedef struct vm_copy {
    vm v;
    char strings[2 * (NAME_MAX_LENGTH + 1) +
                 METADATA_MAX * (NAME_MAX_LENGTH + VALUE_MAX_LENGTH + 2)];
} vm_copy;

static void copy_out(const vm *v, void *ctx)
{
    vm_copy *c = ctx;
    char *to = c->strings;
    c->v = *v;
    c->v.name = strcpy(to, v->name);
    to += strlen(to) + 1;
    c->v.tenant = strcpy(to, v->tenant);
    to += strlen(to) + 1;
    for (int i = 0; i < v->pairs; i++) {
        c->v.pair[i].key = strcpy(to, v->pair[i].key);
        to += strlen(to) + 1;
        c->v.pair[i].value = strcpy(to, v->pair[i].value);
        to += strlen(to) + 1;
    }
}

static int get_vm(request *req, const char *name)
{
    vm_copy *c = mem_alloc(&req->mem, sizeof *c);
    if (!c) return 507;
    int status = state_with(name, copy_out, c) ? reply_json(req, 200, vm_to_json(&c->v))
                                               : reply_error(req, 404, "no machine of that name");
    mem_free(&req->mem, c);
    return status;
}

enum { LISTED = 50 };

typedef struct listed {
    int count;
    struct {
        char name[NAME_MAX_LENGTH + 1], tenant[NAME_MAX_LENGTH + 1];
        int cpus, memory_mb;
    } row[LISTED];
} listed;

static void list_one(const vm *v, void *ctx)
{
    listed *l = ctx;
    strcpy(l->row[l->count].name, v->name);
    strcpy(l->row[l->count].tenant, v->tenant);
    l->row[l->count].cpus = v->cpus;
    l->row[l->count++].memory_mb = v->memory_mb;
}

static int list_vms(request *req)
{
    listed *l = mem_alloc(&req->mem, sizeof *l);
    if (!l) return 507;
    l->count = 0;
    size_t all = state_each(0, LISTED, list_one, l);
    json_t *rows = json_array();
    for (int i = 0; i < l->count; i++)
        json_array_append_new(rows, json_pack("{s:s, s:s, s:i, s:i}", "name", l->row[i].name,
                                              "tenant", l->row[i].tenant, "cpus", l->row[i].cpus,
                                              "memory_mb", l->row[i].memory_mb));
    mem_free(&req->mem, l);
    return reply_json(req, 200, json_pack("{s:I, s:o}", "count", (json_int_t)all, "vms", rows));
}

static int delete_vm(request *req, const char *name)
{
    if (!state_remove(name)) return reply_error(req, 404, "no machine of that name");
    return reply_json(req, 200, json_pack("{s:s}", "deleted", name));
}

static void ignore(const vm *v, void *ctx)
{
    (void)v, (void)ctx;
}

static int metrics(request *req)
{
    ebb_memory_stats m;
    ebb_memory_get_stats(&m);
    text *t = &req->reply;
    text_printf(t, "# TYPE vmd_requests_total counter\nvmd_requests_total %llu\n",
                (unsigned long long)counted.requests);
    text_printf(t, "# TYPE vmd_bad_requests_total counter\nvmd_bad_requests_total %llu\n",
                (unsigned long long)counted.bad);
    text_printf(t, "# TYPE vmd_live_requests gauge\nvmd_live_requests %llu\n",
                (unsigned long long)counted.live);
    text_printf(t, "# TYPE vmd_vms gauge\nvmd_vms %zu\n", state_each(0, 0, ignore, NULL));
    text_printf(t, "# TYPE ebb_reserved_bytes gauge\nebb_reserved_bytes %zu\n", m.reserved);
    text_printf(t, "# TYPE ebb_source_requests_total counter\nebb_source_requests_total %zu\n",
                m.requests);
    return t->failed ? 507 : 200;
}

/* ---- routes ------------------------------------------------------------------------------------ */

static int with_body(request *req, int (*fn)(request *, json_t *))
{
    json_error_t error;
    json_t *body = json_loadb(req->body.ptr ? req->body.ptr : "", req->body.len, 0, &error);
    if (!body && req->mem.scope &&
        ebb_failed(req->mem.scope)) /* jansson would call it a syntax error */
        return ebb_failed(req->mem.scope);
    if (!body)
        return reply_error(req, 400, "line %d, column %d: %s", error.line, error.column,
                           error.text);
    int status =
        json_is_object(body) ? fn(req, body) : reply_error(req, 422, "the body must be an object");
    json_decref(body);
    return status;
}

int handle(request *req)
{
    static const char one[] = "/vms/";
    bool get = !strcmp(req->method, "GET"), post = !strcmp(req->method, "POST");
    if (!strcmp(req->path, "/vms")) {
        if (post) return with_body(req, create_vm);
        return get ? list_vms(req) : reply_error(req, 405, "use GET or POST");
    }
    if (!strncmp(req->path, one, sizeof one - 1)) {
        const char *name = req->path + sizeof one - 1;
        if (!is_name(name)) return reply_error(req, 400, "that is no name of a machine");
        if (!strcmp(req->method, "DELETE")) return delete_vm(req, name);
        return get ? get_vm(req, name) : reply_error(req, 405, "use GET or DELETE");
    }
    if (!strcmp(req->path, "/schedule"))
        return post ? with_body(req, schedule) : reply_error(req, 405, "use POST");
    if (!strcmp(req->path, "/metrics"))
        return get ? metrics(req) : reply_error(req, 405, "use GET");
    return reply_error(req, 404, "no such path");
}
