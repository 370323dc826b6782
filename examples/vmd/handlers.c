/*
 * examples/vmd/handlers.c: routes, and what each does with the machines. In ebb mode a handler
 * runs inside ebb_try with the scope current, so what jansson allocates is the scope's too.
 */
#include "vmd.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- replies --------------------------------------------------------------------------------- */

int reply_done(request *req, int status)
{
    text_put(&req->reply, "\n");
    return text_failed(&req->reply) ? 507 : status;
}

int reply_error(request *req, int status, const char *fmt, ...)
{
    char what[256]; /* ours are shorter; jansson's are up to 160 */
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    text_free(&req->reply);
    text_put(&req->reply, "{\"error\":");
    text_json(&req->reply, what);
    text_put(&req->reply, "}");
    return reply_done(req, status);
}

/* ---- reading a machine ----------------------------------------------------------------------- */

static bool is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    return n > 0 && n <= NAME_MOST && !s[n];
}

static const char *read_metadata(json_t *object, vm_spec *s)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object)) return "metadata must be an object";
    if (json_object_size(object) > METADATA_MOST) return "metadata has more than 32 entries";
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value)) return "metadata values must be strings";
        if (strlen(key) > NAME_MOST || json_string_length(value) > VALUE_MOST)
            return "metadata keys are at most 64 bytes, values 256";
        s->pair[s->pairs++] = (pair){key, json_string_value(value)};
    }
    return NULL;
}

/* One of the words of a machine's life; 0: it is none. Nothing is kept of a text that is none. */
static ebb_sym status_named(const char *word)
{
    ebb_sym status = ebb_intern_find(names, ebb_str_from(word));
    return EBB_WORDS_HAS(ebb_vm_status, status) ? status : 0;
}
#define STATUS_RULE "must be creating, starting, running, stopping, stopped or failed"

const char *wrong_size(int cpus, int memory_mb)
{
    _Static_assert(CPUS_MOST == 256 && MEMORY_MOST == 4194304, "as the texts say");
    if (cpus < 1 || cpus > CPUS_MOST) return "cpus must be 1 to 256";
    if (memory_mb < 1 || memory_mb > MEMORY_MOST) return "memory_mb must be 1 to 4194304";
    return NULL;
}

/* NULL, or what is wrong; the text may be @error's. */
static const char *read_spec(json_t *body, vm_spec *s, json_error_t *error)
{
    json_t *metadata = NULL;
    s->pairs = 0;
    s->status = EBB_VM_CREATING;
    if (json_unpack_ex(body, error, 0, "{s:s, s:s, s:i, s:i, s?o}", "name", &s->name, "tenant",
                       &s->tenant, "cpus", &s->cpus, "memory_mb", &s->memory_mb, "metadata",
                       &metadata))
        return error->text;
    if (!is_name(s->name)) return "name " NAME_RULE;
    if (!is_name(s->tenant)) return "tenant " NAME_RULE;
    const char *wrong = wrong_size(s->cpus, s->memory_mb);
    return wrong || !metadata ? wrong : read_metadata(metadata, s);
}

/* ---- changing a machine ---------------------------------------------------------------------- */

static const char no_memory[] = "out of memory";

static const char *change_one(attrs *a, const char *key, json_t *value)
{
    if (json_is_null(value)) {
        attrs_remove(a, key);
        return NULL;
    }
    if (!json_is_string(value)) return "metadata values must be strings, or null to remove one";
    if (strlen(key) > NAME_MOST || json_string_length(value) > VALUE_MOST)
        return "metadata keys are at most 64 bytes, values 256";
    return attrs_put(a, key, json_string_value(value)) ? NULL : no_memory;
}

/* As RFC 7396 merges objects. */
static const char *change_metadata(attrs *a, json_t *object, vm_spec *s)
{
    const char *key, *wrong = NULL;
    json_t *value;
    if (object && !json_is_object(object)) return "metadata must be an object";
    if (json_object_size(object) > METADATA_MOST) return "metadata has more than 32 entries";
    json_object_foreach(object, key, value)
    {
        wrong = change_one(a, key, value);
        if (wrong) return wrong;
    }
    s->pairs = attrs_count(a);
    if (s->pairs > METADATA_MOST) return "metadata has more than 32 entries";
    attrs_copy(a, s->pair);
    return NULL;
}

/* What is not mentioned stays as it is. */
static const char *read_changes(json_t *body, attrs *a, vm_spec *s, json_error_t *error)
{
    json_t *metadata = NULL;
    const char *status = NULL;
    if (json_unpack_ex(body, error, 0, "{s?s, s?i, s?i, s?o}", "status", &status, "cpus", &s->cpus,
                       "memory_mb", &s->memory_mb, "metadata", &metadata))
        return error->text;
    if (status) s->status = status_named(status);
    if (!s->status) return "status " STATUS_RULE;
    const char *wrong = wrong_size(s->cpus, s->memory_mb);
    return wrong ? wrong : change_metadata(a, metadata, s);
}

/* ---- writing a machine ----------------------------------------------------------------------- */

static void add_string(text *t, const char *before, const char *value)
{
    text_put(t, before);
    text_json(t, value);
}

static void add_symbol(text *t, const char *before, ebb_sym sym)
{
    add_string(t, before, ebb_sym_str(names, sym).ptr);
}

static void add_int(text *t, const char *before, long long value)
{
    text_put(t, before);
    text_int(t, value);
}

static void add_summary(text *t, const vm *v)
{
    add_string(t, "{\"id\":", v->id);
    add_string(t, ",\"name\":", v->name);
    add_symbol(t, ",\"tenant\":", v->tenant);
    add_symbol(t, ",\"status\":", v->status);
    add_int(t, ",\"revision\":", v->revision);
    add_int(t, ",\"cpus\":", v->cpus);
    add_int(t, ",\"memory_mb\":", v->memory_mb);
}

static void add_metadata(text *t, const vm *v)
{
    text_put(t, ",\"metadata\":{");
    for (size_t i = 0; i < v->pairs; i++) {
        add_string(t, i ? "," : "", v->pair[i].key);
        add_string(t, ":", v->pair[i].value);
    }
    text_put(t, "}");
}

static void add_vm(text *t, const vm *v)
{
    add_summary(t, v);
    add_metadata(t, v);
    text_put(t, "}");
}

/* Reply with a machine, and let go of the reference; write it down if it is by @p (may be NULL). */
static int reply_vm(request *req, int status, vm *v, proposal *p)
{
    bool written = true;
    if (!mem_hold(&req->mem, vm_release, v)) return 507;
    if (p) {
        add_vm(&p->text, v);
        written = proposal_commit(p);
    }
    if (written) add_vm(&req->reply, v);
    mem_drop(&req->mem, vm_release, v);
    return written ? reply_done(req, status) : 507;
}

/* ---- what the routes do ---------------------------------------------------------------------- */

static int put_proposed(request *req, proposal *p, const vm_spec *spec, const vm *before)
{
    vm *v = NULL;
    switch (state_put(spec, before, &v)) { /* copies: it outlives the request */
    case PUT_CREATED: return reply_vm(req, 201, v, p);
    case PUT_REPLACED: return reply_vm(req, 200, v, p);
    case PUT_TAKEN: return reply_error(req, 409, "%s belongs to another tenant", spec->name);
    case PUT_CHANGED: return reply_error(req, 409, "%s has changed meanwhile", spec->name);
    case PUT_FULL: return reply_error(req, 507, "no more machines can be kept");
    default: return 507;
    }
}

/* About how long a machine is as JSON. */
static size_t written_size(const vm_spec *s)
{
    const size_t fixed = 256, quotes = 6;
    size_t size = fixed + strlen(s->name) + strlen(s->tenant);
    for (size_t i = 0; i < s->pairs; i++)
        size += strlen(s->pair[i].key) + strlen(s->pair[i].value) + quotes;
    return size;
}

/* Put in what may be there in place of @before only, if that is not NULL. */
static int put_vm(request *req, const vm_spec *spec, const vm *before)
{
    int status;
    config most;
    ebb_sym tenant = ebb_intern_find(names, ebb_str_from(spec->tenant));
    if (!config_of_tenant(&req->mem, tenant, &most)) return 507;
    if (spec->cpus > most.cpus || spec->memory_mb > most.memory_mb)
        return reply_error(req, 422, "%s may have at most %d cpus and %d MiB in a machine",
                           spec->tenant, most.cpus, most.memory_mb);
    proposal *p = proposal_begin(req, spec->name, written_size(spec), &status);
    if (!p) return status;
    status = put_proposed(req, p, spec, before);
    proposal_end(p);
    return status;
}

static int post_vm(request *req, json_t *body)
{
    int status;
    json_error_t error;
    vm_spec *spec = borrow(req, POOL_CONFIGS, sizeof *spec, &status);
    if (!spec) return status;
    const char *wrong = read_spec(body, spec, &error);
    status = wrong ? reply_error(req, 422, "%s", wrong) : put_vm(req, spec, NULL);
    give_home(POOL_CONFIGS, spec);
    return status;
}

const char *name_in(const request *req)
{
    const char *name = req->path + strlen(req->route->path);
    return is_name(name) ? name : NULL;
}

static int get_vm(request *req)
{
    const char *name = name_in(req);
    if (!name) return reply_error(req, 400, "a name " NAME_RULE);
    vm *v = state_get(name);
    return v ? reply_vm(req, 200, v, NULL) : reply_error(req, 404, "no machine is called %s", name);
}

static int change_vm(request *req, json_t *body, const vm *v)
{
    int status;
    json_error_t error;
    attrs *a = attrs_begin(req, v, &status);
    if (!a) return status;
    vm_spec *spec = borrow(req, POOL_CONFIGS, sizeof *spec, &status);
    if (spec) {
        spec->name = v->name;
        spec->tenant = ebb_sym_str(names, v->tenant).ptr;
        spec->status = v->status;
        spec->cpus = v->cpus;
        spec->memory_mb = v->memory_mb;
        const char *wrong = read_changes(body, a, spec, &error);
        if (wrong == no_memory) status = 507;
        else status = wrong ? reply_error(req, 422, "%s", wrong) : put_vm(req, spec, v);
        give_home(POOL_CONFIGS, spec);
    }
    attrs_end(a);
    return status;
}

/* Of two requests that change a machine at once the second begins anew, with what the first made. */
static int patch_vm(request *req, json_t *body)
{
    enum { ATTEMPTS = 100 };
    const char *name = name_in(req);
    if (!name) return reply_error(req, 400, "a name " NAME_RULE);
    int status = 409;
    for (int i = 0; status == 409 && i < ATTEMPTS; i++) {
        vm *v = state_get(name);
        if (!v) return reply_error(req, 404, "no machine is called %s", name);
        if (!mem_hold(&req->mem, vm_release, v)) return 507;
        status = change_vm(req, body, v);
        mem_drop(&req->mem, vm_release, v);
    }
    return status;
}

static void add_deleted(text *t, const char *name)
{
    add_string(t, "{\"deleted\":", name);
    text_put(t, "}");
}

static int delete_vm(request *req)
{
    const char *name = name_in(req);
    if (!name) return reply_error(req, 400, "a name " NAME_RULE);
    int status = 404;
    proposal *p = proposal_begin(req, name, 2 * NAME_MOST, &status);
    if (!p) return status;
    add_deleted(&p->text, name);
    if (!state_remove(name)) status = reply_error(req, 404, "no machine is called %s", name);
    else status = proposal_commit(p) ? 200 : 507;
    proposal_end(p);
    if (status != 200) return status;
    add_deleted(&req->reply, name);
    return reply_done(req, 200);
}

static int reply_page(request *req, const vm_page *p, bool more)
{
    text *t = &req->reply;
    add_int(t, "{\"count\":", (long long)state_count());
    text_put(t, ",\"vms\":[");
    for (int i = 0; i < p->count; i++) {
        text_put(t, i ? "," : "");
        add_summary(t, p->vm[i]);
        text_put(t, "}");
    }
    if (more) add_string(t, "],\"next\":", p->vm[p->count - 1]->name);
    else text_put(t, "],\"next\":null");
    text_put(t, "}");
    return reply_done(req, 200);
}

static int list_page(request *req, const char *after, const filter *only, int most)
{
    vm_page *p = mem_alloc(&req->mem, sizeof *p);
    if (!p) return 507;
    p->count = 0;
    if (!mem_hold(&req->mem, page_release, p)) return 507;
    int filled = state_page(after, only, most, p->vm);
    if (filled > 0) p->count = filled;
    int status = filled < 0 ? reply_error(req, 404, "no machine is called %s", after)
                            : reply_page(req, p, filled == most);
    mem_drop(&req->mem, page_release, p);
    mem_free(&req->mem, p);
    return status;
}

/* ?tenant=NAME&status=WORD. What nobody is called passes nothing, and no machine has symbol NOBODY. */
static const char *read_filter(request *req, filter *only)
{
    const ebb_sym nobody = UINT32_MAX;
    const char *tenant = request_argument(req, "tenant"), *status = request_argument(req, "status");
    *only = (filter){0, 0};
    if (tenant) only->tenant = ebb_intern_find(names, ebb_str_from(tenant));
    if (tenant && !only->tenant) only->tenant = nobody;
    if (status) only->status = status_named(status);
    return status && !only->status ? "status " STATUS_RULE : NULL;
}

/* ?limit=N&after=NAME: a page, and where the next one begins. */
static int list_vms(request *req)
{
    filter only;
    const char *wrong = read_filter(req, &only);
    if (wrong) return reply_error(req, 400, "%s", wrong);
    const char *limit = request_argument(req, "limit"), *after = request_argument(req, "after");
    char *end;
    long most = limit ? strtol(limit, &end, 10) : PAGE_MOST;
    if (limit && (end == limit || *end || most < 1 || most > PAGE_MOST))
        return reply_error(req, 400, "limit must be 1 to %d", PAGE_MOST);
    if (after && !is_name(after)) return reply_error(req, 400, "after " NAME_RULE);
    return list_page(req, after, &only, (int)most);
}

static int no_such_path(request *req)
{
    return reply_error(
        req, 404,
        "there are /vms, /vms/NAME, /schedule, /tenants/NAME, /nodes/NAME, /log, /report, /metrics "
        "and /debug/ebb");
}

static int no_such_method(request *req)
{
    return reply_error(req, 405, "that can't be done here");
}

/* ---- routes ---------------------------------------------------------------------------------- */

/* What scopes of each kind are like is learned apart, so each has a profile. The reserve is what
   the reply to a request that ran out of memory is written in. */
#define PROFILE(name) EBB_PROFILE(name, .reserve = 2048)

route routes[ROUTES] = {
    {"POST", "/vms", NULL, post_vm, PROFILE("POST /vms")},
    {"POST", "/schedule", NULL, schedule, PROFILE("POST /schedule")},
    {"GET", "/vms", list_vms, NULL, PROFILE("GET /vms")},
    {"GET", "/vms/", get_vm, NULL, PROFILE("GET /vms/NAME")},
    {"PATCH", "/vms/", NULL, patch_vm, PROFILE("PATCH /vms/NAME")},
    {"DELETE", "/vms/", delete_vm, NULL, PROFILE("DELETE /vms/NAME")},
    {"GET", "/tenants/", get_tenant, NULL, PROFILE("GET /tenants/NAME")},
    {"PUT", "/tenants/", NULL, put_tenant, PROFILE("PUT /tenants/NAME")},
    {"GET", "/nodes/", get_node, NULL, PROFILE("GET /nodes/NAME")},
    {"PUT", "/nodes/", NULL, put_node, PROFILE("PUT /nodes/NAME")},
    {"GET", "/log", get_log, NULL, PROFILE("GET /log")},
    {"GET", "/report", report, NULL, PROFILE("GET /report")},
    {"GET", "/metrics", metrics, NULL, PROFILE("GET /metrics")},
    {"GET", "/debug/ebb", debug_page, NULL, PROFILE("GET /debug/ebb")},
    {NULL, NULL, no_such_method, NULL, PROFILE("no such method")},
    {NULL, NULL, no_such_path, NULL, PROFILE("no such path")},
};

static bool leads_to(const route *r, const char *path)
{
    size_t n = strlen(r->path);
    return r->path[n - 1] == '/' ? !strncmp(path, r->path, n) : !strcmp(path, r->path);
}

route *route_find(const char *method, const char *path)
{
    bool known = false;
    route *r = routes;
    for (; r->path; r++) {
        if (!leads_to(r, path)) continue;
        if (!strcmp(method, r->method)) return r;
        known = true;
    }
    return known ? r : r + 1;
}

static int with_json(request *req)
{
    json_error_t error;
    ebb_str bytes = text_view(&req->body);
    json_t *body =
        json_loadb(bytes.len ? bytes.ptr : "", bytes.len, JSON_REJECT_DUPLICATES, &error);
    if (!body)
        return reply_error(req, 400, "line %d, column %d: %s", error.line, error.column,
                           error.text);
    int status = json_is_object(body) ? req->route->with_json(req, body)
                                      : reply_error(req, 422, "the body must be an object");
    mem_decref(&req->mem, body);
    return status;
}

int handle(request *req)
{
    return req->route->with_json ? with_json(req) : req->route->plain(req);
}
