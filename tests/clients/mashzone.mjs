// The npm package axios against a door, as users of MashZone call it from a program:
//
//     node mashzone.mjs http://HOST:PORT FOLDER-WITH-NODE_MODULES
//
// It logs in by GET, takes the first Set-Cookie up to its semicolon and sends that from then on. Only 2xx is success to it.

import { createRequire } from "node:module";
import path from "node:path";

const [base, home] = process.argv.slice(2);
const axios = createRequire(path.resolve(home) + "/x.js")("axios");
const rest = `${base}/mashzone/edge/api/rest`;
const jump = `${base}/mashzone/edge/api`;

let failed = 0;
const holds = (what, is) => {
  console.log(`  ${is ? "ok  " : "FAIL"} axios: ${what}`);
  if (!is) failed += 1;
};
const refusal = async (promise) => promise.then(() => null, (error) => {
  if (error.response) return error.response;
  throw error;
});
const call = (oid, params, sid = "UserManagerService") => ({
  params: { inputStream: JSON.stringify({ version: "1.1", sid, svcVersion: "0.1", oid, params }) },
});

const invoke = `${rest}/AnyMashup/Invoke?x-presto-resultFormat=json&from=2020-03-16`;
let no = await refusal(axios.get(invoke));
holds("nobody is not let in", no?.status === 401 && no.data.PrestoResponse.PrestoError.ErrorDetails === "Authentication required");
no = await refusal(axios.get(`${rest}/UserManagerService/login?presto_username=someName&presto_password=wrong`, { withCredentials: true }));
holds("a wrong password says so", no?.status === 401 && no.data === "Authentication failed.Userid:someName.");

const login = await axios.get(`${rest}/UserManagerService/login?presto_username=someName&presto_password=pw`, { withCredentials: true });
const cookie = login.headers["set-cookie"][0].split(";")[0];
holds("log-in sets the session's cookie first", /^JSESSIONID=[0-9A-F]{32}$/.test(cookie));
holds("and answers in XML", login.data.includes("<response\n>\n<authToken>Token is set as HTTP cookie</authToken>\n</response>"));
const used = (await axios.get(invoke, { headers: { Cookie: cookie } })).data;
holds("the cookie is the user", used.told["X-User"] === "someName" && used.path.endsWith("/AnyMashup/Invoke"));
const guest = (await axios.get(invoke, { headers: { Cookie: cookie, "x-p-anonymous": "true" } })).data;
holds("who asks to be a guest is one", guest.told["X-User"] === undefined);
const gone = (await axios.post(invoke, "", { headers: { Cookie: cookie, "x-p-method": "delete" } })).data;
holds("x-p-method is the method", gone.method === "DELETE");
await axios.get(`${rest}/UserManagerService/logout`, { headers: { Cookie: cookie } });
no = await refusal(axios.get(invoke, { headers: { Cookie: cookie } }));
holds("log-out ends it", no?.status === 401);

let answer = (await axios.get(jump, call("login", ["someName", "wrong"]))).data;
holds("JUMP: a wrong password has no token", answer.response.authToken === "" && answer.errorCode === "401");
const response = await axios.get(jump, call("login", ["someName", "pw"]));
const headers = { Cookie: response.headers["set-cookie"][0].split(";")[0] };
answer = response.data;
holds("JUMP: a right one has", answer.response.authToken !== "" && answer.header.map.currentUser === "someName");
holds("and half an hour", answer.header.map.sessionTimeout === "1800");
answer = (await axios.get(jump, { headers, ...call("top", ["a b"], "Sales") })).data;
holds("JUMP: a call", answer.told["X-User"] === "someName" && answer.path === "/mashzone/edge/api");
answer = (await axios.get(jump, { headers, ...call("logout", []) })).data;
holds("JUMP: log-out", answer.response === "JBPSASCE0741 - Logout Success");
no = await refusal(axios.get(jump, { headers, ...call("top", [], "Sales") }));
holds("JUMP: out", no?.status === 401 && no.data.PrestoResponse !== undefined);
process.exit(failed ? 1 : 0);
