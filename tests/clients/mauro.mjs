// The npm package @maurodatamapper/mdm-resources against a door, as its users use it outside a browser:
//
//     node mauro.mjs http://HOST:PORT FOLDER-WITH-NODE_MODULES
//
// The package is given a REST handler of ours, as its README has it: fetch, and a jar for the one cookie.

import { register, createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const [base, home] = process.argv.slice(2);

// The package is written for bundlers: its imports lack their endings.
register("data:text/javascript," + encodeURIComponent(`
  import { stat } from "node:fs/promises";
  import { fileURLToPath } from "node:url";
  const mine = (url) => url?.includes("/mdm-resources/");
  export async function resolve(name, context, next) {
    if (!name.startsWith(".") || !mine(context.parentURL)) return next(name, context);
    for (const ending of ["", ".js", "/index.js"]) {
      const url = new URL(name + ending, context.parentURL);
      const found = await stat(fileURLToPath(url)).catch(() => null);
      if (found?.isFile()) return { url: url.href, format: "module", shortCircuit: true };
    }
    return next(name, context);
  }
  export async function load(url, context, next) {
    return next(url, mine(url) ? { ...context, format: "module" } : context);
  }
`));
const entry = createRequire(path.resolve(home) + "/x.js").resolve("@maurodatamapper/mdm-resources");
const mdm = await import(pathToFileURL(entry).href);

class Refused extends Error {
  constructor(status, body) {
    super(`${status} ${body}`);
    this.status = status;
    this.body = body;
  }
}

class Handler {
  cookie = null;

  async process(url, options) {
    const headers = { "Content-Type": "application/json", ...options.headers };
    if (this.cookie) headers.Cookie = this.cookie;
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const response = await fetch(url, { method: options.method, headers, body, redirect: "manual" });
    for (const cookie of response.headers.getSetCookie()) {
      if (cookie.startsWith("JSESSIONID=")) this.cookie = cookie.split(";")[0];
    }
    const text = await response.text();
    if (!response.ok) throw new Refused(response.status, text);
    return { status: response.status, body: text ? JSON.parse(text) : null };
  }
}

let failed = 0;
const holds = (what, is) => {
  console.log(`  ${is ? "ok  " : "FAIL"} mdm-resources: ${what}`);
  if (!is) failed += 1;
};
const refusal = async (promise) => promise.then(() => null, (error) => {
  if (error instanceof Refused) return error;
  throw error;
});

const configuration = new mdm.MdmResourcesConfiguration();
configuration.apiEndpoint = `${base}/api`;
const visitor = () => {
  const handler = new Handler();
  const make = (Resource) => new Resource(configuration, handler);
  return {
    handler,
    security: make(mdm.MdmSecurityResource),
    session: make(mdm.MdmSessionResource),
    folders: make(mdm.MdmFolderResource),
    admin: make(mdm.MdmAdminResource),
  };
};

const joe = visitor();
const credentials = { username: "joe.bloggs@test.com", password: "pa55w0rd" };
holds("nobody is not authenticated", (await joe.session.isAuthenticated()).body.authenticatedSession === false);
holds("anonymous reading is open", (await joe.folders.list()).body.told["X-User"] === undefined);
let wrong = await refusal(joe.security.login({ ...credentials, password: "password" }));
holds("a wrong password is a 401", wrong?.status === 401 && JSON.parse(wrong.body).additional === "Invalid credentials");
const login = (await joe.security.login(credentials)).body;
holds("log-in answers with the user", login.emailAddress === credentials.username && login.disabled === false);
holds("and with a cookie", /^JSESSIONID=[0-9A-F]{32}$/.test(joe.handler.cookie ?? ""));
holds("now authenticated", (await joe.session.isAuthenticated()).body.authenticatedSession === true);
holds("the upstream knows", (await joe.folders.list()).body.told["X-User"] === credentials.username);
holds("no administrator", (await joe.session.isApplicationAdministration()).body.applicationAdministrationSession === false);
holds("keepAlive", (await joe.session.keepAlive()).status === 200);
wrong = await refusal(joe.admin.activeSessions());
holds("the list is not for him", wrong?.status === 403);
const before = joe.handler.cookie;
await joe.security.login(credentials);
holds("the same user again: another id", joe.handler.cookie !== before);

const admin = visitor();
await admin.security.login({ username: "admin@test.com", password: "password" });
holds("the administrator is one", (await admin.session.isApplicationAdministration()).body.applicationAdministrationSession === true);
const list = (await admin.session.activeSessions()).body;
holds("the list holds both", list.items.some((item) => item.userEmailAddress === credentials.username) && list.countAuthorised >= 2);
const id = joe.handler.cookie.split("=")[1];
holds("and may ask for a session", (await admin.session.isAuthenticated(id)).body.authenticatedSession === true);

const cookie = joe.handler.cookie;
holds("log-out", (await joe.security.logout()).status === 204);
joe.handler.cookie = cookie;
wrong = await refusal(joe.folders.list());
holds("the old cookie is dead", wrong?.status === 401 && wrong.body.includes("Session has been invalidated"));
holds("and the administrator sees that", (await admin.session.isAuthenticated(id)).body.authenticatedSession === false);
process.exit(failed ? 1 : 0);
