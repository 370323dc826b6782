/* examples/vmd/metrics.c: GET /metrics, as Prometheus reads it. */
#include "vmd.h"

typedef unsigned long long number;

static void metric(text *t, const char *name, const char *type, number value)
{
    text_printf(t, "# TYPE %s %s\n%s %llu\n", name, type, name, value);
}

static void requests(text *t)
{
    metric(t, "vmd_requests_total", "counter", counted.requests);
    metric(t, "vmd_client_errors_total", "counter", counted.client_errors);
    metric(t, "vmd_server_errors_total", "counter", counted.server_errors);
    metric(t, "vmd_abandoned_requests_total", "counter", counted.abandoned);
    metric(t, "vmd_live_requests", "gauge", counted.live);
    metric(t, "vmd_budget_used_bytes", "gauge", budget_used());
    metric(t, "vmd_vms", "gauge", state_count());
}

/* What was learned of each kind of request: sizes are of a sample of them. */
static void profiles(text *t)
{
    text_printf(t, "# TYPE vmd_request_memory_bytes summary\n");
    for (route *r = routes; r->path; r++) {
        ebb_profile_stats s;
        ebb_profile_get_stats(&r->profile, &s);
        const char *name = r->profile.name;
        text_printf(t, "vmd_request_memory_bytes{route=\"%s\",quantile=\"0.5\"} %zu\n", name,
                    s.used_p50);
        text_printf(t, "vmd_request_memory_bytes{route=\"%s\",quantile=\"0.95\"} %zu\n", name,
                    s.used_p95);
        text_printf(t, "vmd_request_memory_bytes_count{route=\"%s\"} %llu\n", name,
                    (number)s.samples);
    }
}

static void memory(text *t)
{
    ebb_memory_stats m;
    ebb_memory_get_stats(&m);
    metric(t, "ebb_reserved_bytes", "gauge", m.reserved);
    metric(t, "ebb_slabs", "gauge", m.slabs);
    metric(t, "ebb_depot_bytes", "gauge", m.depot);
    metric(t, "ebb_source_requests_total", "counter", m.requests);
    metric(t, "ebb_source_refusals_total", "counter", m.refusals);
}

int metrics(request *req)
{
    text *t = &req->reply;
    requests(t);
    if (opt.ebb) profiles(t);
    if (opt.ebb) memory(t);
    if (opt.ebb) pools_metrics(t);
    if (opt.ebb) configs_metrics(t);
    return text_failed(t) ? 507 : 200;
}
