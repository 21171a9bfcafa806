/* Prints the size of every struct of the interface and the offset of every field. src/ffi/layout.rs
 * makes the same lines in Rust; both are compared with layout.txt. */
#include <stdio.h>

#include "janua.h"

#define SIZE(type) printf(#type " %zu\n", sizeof(type))
#define FIELD(type, field) printf(#type "." #field " %zu\n", offsetof(type, field))

int main(void) {
    SIZE(janua_str);
    FIELD(janua_str, ptr);
    FIELD(janua_str, len);
    SIZE(janua_header);
    FIELD(janua_header, name);
    FIELD(janua_header, value);
    SIZE(janua_error);
    FIELD(janua_error, size);
    FIELD(janua_error, status);
    FIELD(janua_error, reason);
    FIELD(janua_error, message);
    SIZE(janua_request);
    FIELD(janua_request, size);
    FIELD(janua_request, flags);
    FIELD(janua_request, method);
    FIELD(janua_request, path);
    FIELD(janua_request, raw_path);
    FIELD(janua_request, query);
    FIELD(janua_request, client);
    FIELD(janua_request, body);
    FIELD(janua_request, headers);
    FIELD(janua_request, headers_len);
    SIZE(janua_decision);
    FIELD(janua_decision, size);
    FIELD(janua_decision, outcome);
    FIELD(janua_decision, reason);
    FIELD(janua_decision, http_status);
    FIELD(janua_decision, wait_class);
    FIELD(janua_decision, followup);
    FIELD(janua_decision, hold_ms);
    FIELD(janua_decision, body_limit);
    FIELD(janua_decision, principal);
    FIELD(janua_decision, roles);
    FIELD(janua_decision, tenant);
    FIELD(janua_decision, session_ref);
    FIELD(janua_decision, method);
    FIELD(janua_decision, path);
    FIELD(janua_decision, log_path);
    FIELD(janua_decision, query);
    FIELD(janua_decision, endpoint);
    FIELD(janua_decision, strip);
    FIELD(janua_decision, strip_len);
    FIELD(janua_decision, set_inward);
    FIELD(janua_decision, set_inward_len);
    FIELD(janua_decision, response);
    FIELD(janua_decision, response_len);
    FIELD(janua_decision, body);
    FIELD(janua_decision, owner);
    SIZE(janua_proof);
    FIELD(janua_proof, size);
    FIELD(janua_proof, text_len);
    FIELD(janua_proof, principal);
    FIELD(janua_proof, tenant);
    FIELD(janua_proof, session_ref);
    FIELD(janua_proof, issued);
    FIELD(janua_proof, last_used);
    FIELD(janua_proof, idle_end);
    FIELD(janua_proof, absolute_end);
    SIZE(janua_directory);
    FIELD(janua_directory, size);
    FIELD(janua_directory, ctx);
    FIELD(janua_directory, lookup);
    FIELD(janua_directory, check);
    FIELD(janua_directory, destroy);
    SIZE(janua_event);
    FIELD(janua_event, size);
    FIELD(janua_event, kind);
    FIELD(janua_event, reason);
    FIELD(janua_event, time);
    FIELD(janua_event, principal);
    FIELD(janua_event, session_ref);
    FIELD(janua_event, client);
    FIELD(janua_event, endpoint);
    FIELD(janua_event, method);
    FIELD(janua_event, reference);
    SIZE(janua_audit);
    FIELD(janua_audit, size);
    FIELD(janua_audit, ctx);
    FIELD(janua_audit, event);
    FIELD(janua_audit, destroy);
    return 0;
}
