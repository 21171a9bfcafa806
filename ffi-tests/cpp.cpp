// The header in C++17: owners that clean up, exceptions that stay on this side, views without copies.
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

#include "fixture.h"

static_assert(std::is_standard_layout<janua_decision>::value && std::is_trivially_copyable<janua_decision>::value,
              "a decision can be moved by copying");
static_assert(std::is_same<decltype(&janua_abi), uint32_t (*)()>::value, "C linkage, C types");

template <auto Free> struct Deleter {
    template <typename T> void operator()(T *object) const { Free(object); }
};
using Config = std::unique_ptr<janua_config, Deleter<janua_config_free>>;
using Engine = std::unique_ptr<janua_engine, Deleter<janua_engine_free>>;
using Site = std::unique_ptr<janua_site, Deleter<janua_site_free>>;

static janua_str text(std::string_view s) { return janua_str{s.data(), s.size()}; }
static std::string_view read(janua_str s) { return {s.ptr, s.len}; }

class Decision {
    janua_decision d{};

public:
    Decision() { d.size = sizeof d; }
    Decision(const Decision &) = delete;
    Decision(Decision &&other) noexcept : d(other.d) { other.d = janua_decision{}; }
    ~Decision() { janua_decision_clear(&d); }
    janua_decision *operator&() { return &d; }
    const janua_decision *operator->() const { return &d; }
};

static Decision decide(const Site &site, std::string_view method, std::string_view path,
                       const std::vector<janua_header> &headers, std::string_view body = {}) {
    janua_request request{};
    request.size = sizeof request;
    request.method = text(method);
    request.path = request.raw_path = text(path);
    request.client = JANUA_STR("192.0.2.7");
    request.headers = headers.data();
    request.headers_len = headers.size();
    if (!body.empty()) {
        request.flags = JANUA_REQUEST_BODY_GIVEN;
        request.body = text(body);
    }
    Decision decision;
    janua_error err = error_new();
    CHECK_STATUS(janua_decide(site.get(), &request, 0, &decision, &err), JANUA_OK, err);
    return decision;
}

int main() {
    struct users users;
    users_init(&users);
    {
        janua_directory table = users_table(&users);
        janua_error err = error_new();
        Config config(config_with("mauro", &table, nullptr));
        janua_engine *raw = nullptr;
        CHECK_STATUS(janua_engine_new(config.get(), &raw, &err), JANUA_OK, err);
        Engine engine(raw);
        NEED(engine != nullptr);
        CHECK_STATUS(janua_engine_attach(engine.get(), &err), JANUA_OK, err);
        Site site(site_of(engine.get()));

        Decision login = decide(site, "POST", "/api/authentication/login", {json_type()}, GOOD_LOGIN);
        CHECK(login->outcome == JANUA_ANSWER && login->http_status == 200);
        char cookie[600] = "";
        NEED(cookie_of(login.operator->(), cookie, sizeof cookie));

        std::vector<Decision> kept;
        for (int i = 0; i < 20; i++) kept.push_back(decide(site, "GET", "/api/models", {{JANUA_STR("Cookie"), text(cookie)}}));
        for (const Decision &decision : kept) CHECK(read(decision->principal) == "u-aladdin");
        engine.reset();
        site.reset();
        CHECK(read(kept.back()->principal) == "u-aladdin");
        CHECK(users.destroyed == 0);
    }
    CHECK(users.destroyed == 1);
    return done("cpp");
}
