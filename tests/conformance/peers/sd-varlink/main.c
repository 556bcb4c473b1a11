/* The service of org.example.t, and the client of org.example.conform, with sd-varlink:
 * conform-sd-varlink [--client] ADDRESS. Built by ../sd-varlink.sh. */

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-event.h>
#include <systemd/sd-json.h>
#include <systemd/sd-varlink-idl.h>
#include <systemd/sd-varlink.h>

#define NULLABLE SD_VARLINK_NULLABLE

static SD_VARLINK_DEFINE_ENUM_TYPE(Color, SD_VARLINK_DEFINE_ENUM_VALUE(red), SD_VARLINK_DEFINE_ENUM_VALUE(green));
static SD_VARLINK_DEFINE_METHOD(
        Echo,
        SD_VARLINK_DEFINE_INPUT(i, SD_VARLINK_INT, NULLABLE),
        SD_VARLINK_DEFINE_INPUT(f, SD_VARLINK_FLOAT, NULLABLE),
        SD_VARLINK_DEFINE_INPUT(b, SD_VARLINK_BOOL, NULLABLE),
        SD_VARLINK_DEFINE_INPUT(s, SD_VARLINK_STRING, NULLABLE),
        SD_VARLINK_DEFINE_INPUT(o, SD_VARLINK_OBJECT, NULLABLE),
        SD_VARLINK_DEFINE_INPUT(a, SD_VARLINK_ANY, NULLABLE),
        SD_VARLINK_DEFINE_INPUT(l, SD_VARLINK_INT, NULLABLE | SD_VARLINK_ARRAY),
        SD_VARLINK_DEFINE_INPUT(m, SD_VARLINK_STRING, NULLABLE | SD_VARLINK_MAP),
        SD_VARLINK_DEFINE_INPUT_BY_TYPE(c, Color, NULLABLE),
        SD_VARLINK_DEFINE_OUTPUT(got, SD_VARLINK_OBJECT, 0));
static SD_VARLINK_DEFINE_METHOD(
        Need, SD_VARLINK_DEFINE_INPUT(s, SD_VARLINK_STRING, 0), SD_VARLINK_DEFINE_OUTPUT(s, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_METHOD(Empty);
static SD_VARLINK_DEFINE_METHOD_FULL(
        Count,
        SD_VARLINK_REQUIRES_MORE,
        SD_VARLINK_DEFINE_INPUT(n, SD_VARLINK_INT, 0),
        SD_VARLINK_DEFINE_OUTPUT(i, SD_VARLINK_INT, 0));
static SD_VARLINK_DEFINE_METHOD(Fail);
static SD_VARLINK_DEFINE_METHOD(Unbound);
static SD_VARLINK_DEFINE_METHOD(Fds, SD_VARLINK_DEFINE_OUTPUT(n, SD_VARLINK_INT, 0));
static SD_VARLINK_DEFINE_METHOD_FULL(Pipe, SD_VARLINK_REQUIRES_UPGRADE);
static SD_VARLINK_DEFINE_ERROR(Oops, SD_VARLINK_DEFINE_FIELD(why, SD_VARLINK_STRING, 0));

static SD_VARLINK_DEFINE_INTERFACE(
        t,
        "org.example.t",
        SD_VARLINK_INTERFACE_COMMENT(
                "All types and all ways to call, for whoever wants to check a service byte by byte"),
        SD_VARLINK_SYMBOL_COMMENT("A value of an enumeration"),
        &vl_type_Color,
        SD_VARLINK_SYMBOL_COMMENT("Gives the parameters back as they came"),
        &vl_method_Echo,
        SD_VARLINK_SYMBOL_COMMENT("Gives back its parameter, which has to be there"),
        &vl_method_Need,
        SD_VARLINK_SYMBOL_COMMENT("Takes nothing, gives nothing"),
        &vl_method_Empty,
        SD_VARLINK_SYMBOL_COMMENT("With more: n replies, in which i counts from 0. Without: ExpectedMore.\n"
                                  "If n is 0 or less: InvalidParameter."),
        &vl_method_Count,
        SD_VARLINK_SYMBOL_COMMENT("Fails with Oops every time, why is \"because\""),
        &vl_method_Fail,
        SD_VARLINK_SYMBOL_COMMENT("Is declared here, and not served"),
        &vl_method_Unbound,
        SD_VARLINK_SYMBOL_COMMENT("Takes descriptors, says how many they were, and sends them back"),
        &vl_method_Fds,
        SD_VARLINK_SYMBOL_COMMENT(
                "With upgrade: a reply, and from then on every byte comes back. Without: ExpectedUpgrade."),
        &vl_method_Pipe,
        SD_VARLINK_SYMBOL_COMMENT("What Fail fails with"),
        &vl_error_Oops);

typedef sd_varlink_method_flags_t Flags;

struct all {
        int64_t i;
        double f;
        int b;
        const char *s;
        sd_json_variant *o, *a, *l, *m;
        const char *c;
};

#define FIELD(name, function) { #name, _SD_JSON_VARIANT_TYPE_INVALID, function, offsetof(struct all, name), SD_JSON_NULLABLE }

static int echo(sd_varlink *link, sd_json_variant *parameters, Flags flags, void *data) {
        static const sd_json_dispatch_field table[] = {
                FIELD(i, sd_json_dispatch_int64),
                FIELD(f, sd_json_dispatch_double),
                FIELD(b, sd_json_dispatch_tristate),
                FIELD(s, sd_json_dispatch_const_string),
                FIELD(o, sd_json_dispatch_variant_noref),
                FIELD(a, sd_json_dispatch_variant_noref),
                FIELD(l, sd_json_dispatch_variant_noref),
                FIELD(m, sd_json_dispatch_variant_noref),
                FIELD(c, sd_json_dispatch_const_string),
                {},
        };
        struct all all = {};
        int r = sd_varlink_dispatch(link, parameters, table, &all);
        if (r != 0)
                return r;
        for (size_t i = 0; i < sd_json_variant_elements(all.l); i++) {
                int64_t ignored;
                if (sd_json_dispatch_int64("l", sd_json_variant_by_index(all.l, i), 0, &ignored) < 0)
                        return sd_varlink_error_invalid_parameter_name(link, "l");
        }
        return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("got", parameters));
}

static int need(sd_varlink *link, sd_json_variant *parameters, Flags flags, void *data) {
        return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("s", sd_json_variant_by_key(parameters, "s")));
}

static int empty(sd_varlink *link, sd_json_variant *parameters, Flags flags, void *data) {
        return sd_varlink_reply(link, NULL);
}

static int count(sd_varlink *link, sd_json_variant *parameters, Flags flags, void *data) {
        int64_t n = sd_json_variant_integer(sd_json_variant_by_key(parameters, "n"));
        if (!(flags & SD_VARLINK_METHOD_MORE))
                return sd_varlink_error(link, SD_VARLINK_ERROR_EXPECTED_MORE, NULL);
        if (n <= 0)
                return sd_varlink_error_invalid_parameter_name(link, "n");
        for (int64_t i = 0; i < n - 1; i++) {
                int r = sd_varlink_notifybo(link, SD_JSON_BUILD_PAIR_INTEGER("i", i));
                if (r < 0)
                        return r;
        }
        return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_INTEGER("i", n - 1));
}

static int fail(sd_varlink *link, sd_json_variant *parameters, Flags flags, void *data) {
        return sd_varlink_errorbo(link, "org.example.t.Oops", SD_JSON_BUILD_PAIR_STRING("why", "because"));
}

static int fds(sd_varlink *link, sd_json_variant *parameters, Flags flags, void *data) {
        int n = sd_varlink_get_n_fds(link);
        if (n < 0)
                n = 0;
        for (int i = 0; i < n; i++) {
                int r = sd_varlink_push_fd(link, sd_varlink_take_fd(link, i));
                if (r < 0)
                        return r;
        }
        return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_INTEGER("n", n));
}

struct pair {
        int in, out;
};

static void *echo_bytes(void *data) {
        struct pair *pair = data;
        char buffer[1024];
        ssize_t n;
        while ((n = read(pair->in, buffer, sizeof(buffer))) > 0)
                if (write(pair->out, buffer, n) != n)
                        break;
        close(pair->in);
        close(pair->out);
        free(pair);
        return NULL;
}

static int pipe_(sd_varlink *link, sd_json_variant *parameters, Flags flags, void *data) {
        struct pair *pair = malloc(sizeof(*pair));
        pthread_t thread;
        int r = sd_varlink_reply_and_upgrade(link, NULL, &pair->in, &pair->out);
        if (r < 0) {
                free(pair);
                return r;
        }
        return -pthread_create(&thread, NULL, echo_bytes, pair);
}

static int serve(const char *address) {
        sd_varlink_server *server = NULL;
        sd_event *event = NULL;
        int r = sd_varlink_server_new(
                &server,
                SD_VARLINK_SERVER_ALLOW_FD_PASSING_INPUT | SD_VARLINK_SERVER_ALLOW_FD_PASSING_OUTPUT |
                        SD_VARLINK_SERVER_UPGRADABLE);
        if (r < 0)
                return r;
        r = sd_varlink_server_set_info(server, "systemd", "conform", "262", "https://systemd.io");
        if (r >= 0)
                r = sd_varlink_server_add_interface(server, &vl_interface_t);
        if (r >= 0)
                r = sd_varlink_server_bind_method_many(
                        server,
                        "org.example.t.Echo", echo,
                        "org.example.t.Need", need,
                        "org.example.t.Empty", empty,
                        "org.example.t.Count", count,
                        "org.example.t.Fail", fail,
                        "org.example.t.Fds", fds,
                        "org.example.t.Pipe", pipe_);
        if (r >= 0)
                r = sd_varlink_server_listen_address(server, address, 0666);
        if (r >= 0)
                r = sd_event_default(&event);
        if (r >= 0)
                r = sd_varlink_server_attach_event(server, event, 0);
        if (r >= 0)
                r = sd_event_loop(event);
        return r;
}

/* The outcome of a step. */
struct outcome {
        sd_json_variant *values;
        char *error;
        const char *failed;
        int is_done;
};

static void add(struct outcome *o, const char *value) {
        sd_json_variant *v = NULL;
        if (sd_json_variant_new_string(&v, value ?: "") >= 0)
                sd_json_variant_append_array(&o->values, v);
        sd_json_variant_unref(v);
}

/* Records the result of a call. True if there is a reply. */
static int record(struct outcome *o, int r, const char *error) {
        if (r < 0)
                o->failed = strerror(-r);
        else if (error)
                o->error = strdup(error);
        return r >= 0 && !error;
}

static void call_need(struct outcome *o, sd_varlink *link) {
        sd_json_variant *reply = NULL;
        const char *error = NULL;
        int r = sd_varlink_callbo(link, "org.example.t.Need", &reply, &error, SD_JSON_BUILD_PAIR_STRING("s", "x"));
        if (record(o, r, error))
                add(o, sd_json_variant_string(sd_json_variant_by_key(reply, "s")));
}

static int on_reply(sd_varlink *link, sd_json_variant *p, const char *error, sd_varlink_reply_flags_t flags, void *data) {
        struct outcome *o = data;
        sd_json_variant *i = sd_json_variant_by_key(p, "i");
        char text[32];
        if (flags & SD_VARLINK_REPLY_LOCAL)
                o->failed = strdup(error);
        else if (error)
                o->error = strdup(error);
        else if (i) {
                snprintf(text, sizeof(text), "%lld", (long long) sd_json_variant_integer(i));
                add(o, text);
        }
        o->is_done = !(flags & SD_VARLINK_REPLY_CONTINUES);
        return 0;
}

static void call_count(struct outcome *o, sd_varlink *link) {
        int r;
        sd_varlink_set_userdata(link, o);
        r = sd_varlink_bind_reply(link, on_reply);
        if (r >= 0)
                r = sd_varlink_observebo(link, "org.example.t.Count", SD_JSON_BUILD_PAIR_INTEGER("n", 3));
        while (r >= 0 && !o->is_done) {
                r = sd_varlink_process(link);
                if (r == 0)
                        r = sd_varlink_wait(link, UINT64_MAX);
        }
        if (r < 0 && !o->failed)
                o->failed = strerror(-r);
}

static void call_pipe(struct outcome *o, sd_varlink *link) {
        const char *error = NULL;
        int in = -1, out = -1;
        char text[1024];
        size_t length = 0;
        ssize_t n;
        int r = sd_varlink_call_and_upgrade(link, "org.example.t.Pipe", NULL, NULL, &error, &in, &out);
        if (!record(o, r, error))
                return;
        while ((n = read(in, text + length, sizeof(text) - 1 - length)) > 0)
                length += n;
        text[length] = 0;
        add(o, text);
        close(in);
        close(out);
}

/* Makes the call of a step over a new connection. */
static void step(struct outcome *o, const char *address, const char *name) {
        sd_varlink *link = NULL;
        const char *error = NULL;
        int r = sd_varlink_connect_address(&link, address);
        if (r < 0)
                o->failed = strerror(-r);
        else if (strcmp(name, "empty") == 0)
                record(o, sd_varlink_call(link, "org.example.t.Empty", NULL, NULL, &error), error);
        else if (strcmp(name, "need") == 0)
                call_need(o, link);
        else if (strcmp(name, "oneway") == 0) {
                if (record(o, sd_varlink_send(link, "org.example.t.Empty", NULL), NULL))
                        call_need(o, link);
        } else if (strcmp(name, "more") == 0)
                call_count(o, link);
        else
                call_pipe(o, link);
        sd_varlink_close_unref(link);
}

static int lead(const char *address) {
        sd_varlink *control = NULL;
        int r = sd_varlink_connect_address(&control, address);
        sd_json_variant *outcome = NULL;
        while (r >= 0) {
                sd_json_variant *reply = NULL;
                const char *error = NULL, *name;
                struct outcome o = {};
                r = sd_varlink_callbo(
                        control,
                        "org.example.conform.Next",
                        &reply,
                        &error,
                        SD_JSON_BUILD_PAIR_CONDITION(!!outcome, "outcome", SD_JSON_BUILD_VARIANT(outcome)));
                if (r < 0 || error)
                        break;
                name = strdup(sd_json_variant_string(sd_json_variant_by_key(reply, "step")));
                if (strcmp(name, "end") == 0)
                        return 0;
                sd_json_variant_new_array(&o.values, NULL, 0);
                step(&o, address, name);
                r = sd_json_buildo(
                        &outcome,
                        SD_JSON_BUILD_PAIR_VARIANT("values", o.values),
                        SD_JSON_BUILD_PAIR_CONDITION(!!o.error, "error", SD_JSON_BUILD_STRING(o.error)),
                        SD_JSON_BUILD_PAIR_CONDITION(!!o.failed, "failed", SD_JSON_BUILD_STRING(o.failed)));
        }
        return r < 0 ? r : -EPROTO;
}

int main(int argc, char *argv[]) {
        int is_client = argc == 3 && strcmp(argv[1], "--client") == 0;
        int r;
        if (!is_client && argc != 2) {
                fprintf(stderr, "usage: conform-sd-varlink [--client] ADDRESS\n");
                return 2;
        }
        r = is_client ? lead(argv[2]) : serve(argv[1]);
        if (r < 0)
                fprintf(stderr, "conform-sd-varlink: %s\n", strerror(-r));
        return r < 0;
}
