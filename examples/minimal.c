/* Asks Janua about one request: minimal CONFIG METHOD PATH [AUTHORIZATION]
 * cc minimal.c -I../include -L../target/release -ljanua -o minimal */
#include <janua.h>
#include <stdio.h>
#include <string.h>

static janua_str view(const char *text) { return (janua_str){text, strlen(text)}; }

int main(int argc, char **argv) {
    janua_config *config = NULL;
    janua_engine *engine = NULL;
    janua_site *site = NULL;
    janua_error err = {.size = sizeof err};
    janua_decision decision = {.size = sizeof decision};
    if (argc < 4) return fprintf(stderr, "usage: minimal CONFIG METHOD PATH [AUTHORIZATION]\n"), 2;

    janua_header header = {JANUA_STR("Authorization"), argc > 4 ? view(argv[4]) : JANUA_STR("")};
    janua_request request = {.size = sizeof request, .method = view(argv[2]), .path = view(argv[3]),
                             .raw_path = view(argv[3]), .client = JANUA_STR("127.0.0.1"),
                             .headers = &header, .headers_len = argc > 4};

    if (janua_config_new(JANUA_ABI, &config, &err) || janua_config_read_file(config, view(argv[1]), &err) ||
        janua_engine_new(config, &engine, &err) || janua_engine_attach(engine, &err) ||
        janua_site_new(engine, JANUA_STR(""), JANUA_STR(""), 0, &site, &err) ||
        janua_decide(site, &request, 0, &decision, &err))
        fprintf(stderr, "%s: %s\n", janua_status_name(err.status), err.message);
    else
        printf("%s: %s, principal \"%.*s\"\n", decision.outcome == JANUA_ALLOW ? "allowed" : "not allowed",
               janua_reason_name(decision.reason), (int)decision.principal.len, decision.principal.ptr);

    int code = decision.outcome == JANUA_ALLOW ? 0 : 1;
    janua_decision_clear(&decision);
    janua_site_free(site);
    janua_engine_free(engine);
    janua_config_free(config);
    return code;
}
