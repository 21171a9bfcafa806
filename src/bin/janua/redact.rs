//! The second line behind the engine's promise that no explanation holds a secret.
//!
//! Collects what a request may have brought in confidence and strikes it out of any text that is about to be printed.
//! Values under [`SHORTEST`] bytes and plain lower-case words are left alone: striking `password` out of our own
//! sentences would tell that it was the password.

use crate::request::Parsed;
use base64::Engine as _;
use janua::base::encoding::BASE64;
use zeroize::Zeroizing;

/// Shorter values are not looked for.
const SHORTEST: usize = 6;

/// What stands in a secret's place.
const STRUCK: &str = "[struck out]";

/// Names that hint at a secret, in headers, cookies, queries and bodies alike.
const HINTS: [&str; 9] = ["auth", "cookie", "cred", "key", "pass", "pw", "secret", "session", "token"];

/// Texts that must not be printed. No `Debug`; wiped when dropped.
pub struct Redactor(Vec<Zeroizing<String>>);

impl Redactor {
    pub fn new(request: &Parsed) -> Redactor {
        let mut redactor = Redactor(Vec::new());
        for (name, value) in &request.headers {
            match name.to_ascii_lowercase().as_slice() {
                b"authorization" | b"proxy-authorization" | b"cookie" => redactor.words(value),
                name if hints(name) => redactor.add(&String::from_utf8_lossy(value)),
                _ => {}
            }
        }
        for segment in String::from_utf8_lossy(&request.path).split('/') {
            if looks_drawn(segment) {
                redactor.add(segment);
            }
        }
        let query = form_urlencoded::parse(&request.query);
        let body = form_urlencoded::parse(&request.body);
        for (name, value) in query.chain(body) {
            if hints(name.as_bytes()) {
                redactor.add(&value);
            }
        }
        if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&request.body) {
            redactor.json(&json, false);
        }
        redactor.elements(&String::from_utf8_lossy(&request.body));
        redactor.0.sort_by_key(|s| std::cmp::Reverse(s.len()));
        redactor
    }

    /// `text` with every secret struck out and no control character left.
    pub fn clean(&self, text: &str) -> String {
        let struck = self.0.iter().fold(text.to_owned(), |text, secret| match text.contains(secret.as_str()) {
            true => text.replace(secret.as_str(), STRUCK),
            false => text,
        });
        crate::output::plain(&struck)
    }

    /// The value of Authorization or Cookie, its words, each cookie's value, and the password inside Basic.
    fn words(&mut self, value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        self.add(&text);
        for word in text.split([' ', ';', ',']) {
            self.add(word);
            self.add(word.split_once('=').map_or("", |(_, value)| value).trim_matches('"'));
            if let Ok(pair) = BASE64.decode(word).map(Zeroizing::new) {
                let pair = Zeroizing::new(String::from_utf8_lossy(&pair).into_owned());
                self.add(pair.split_once(':').map_or("", |(_, password)| password));
            }
        }
    }

    fn json(&mut self, value: &serde_json::Value, hinted: bool) {
        match value {
            serde_json::Value::Object(members) => {
                members.iter().for_each(|(name, value)| self.json(value, hinted || hints(name.as_bytes())));
            }
            // The positions of an array have no names: JUMP's `params` are user and password.
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.json(item, true)),
            serde_json::Value::String(text) if hinted => self.add(text),
            _ => {}
        }
    }

    /// The texts of XML elements whose names hint at a secret; it need not be well-formed.
    fn elements(&mut self, text: &str) {
        for part in text.split('<') {
            if let Some((tag, content)) = part.split_once('>') {
                let name = tag.split_whitespace().next().unwrap_or_default();
                if hints(name.as_bytes()) {
                    self.add(content);
                }
            }
        }
    }

    fn add(&mut self, secret: &str) {
        let is_word = secret.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        if secret.len() >= SHORTEST && !is_word {
            self.0.push(Zeroizing::new(secret.to_owned()));
        }
    }
}

/// Whether a name hints at a secret.
pub fn hints(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    HINTS.iter().any(|hint| name.contains(hint))
}

/// Whether a segment of a path could be a session's id or a key: drawn at random, and no GUID, which names an object.
fn looks_drawn(segment: &str) -> bool {
    let is_guid = segment.len() == 36 && segment.bytes().filter(|b| *b == b'-').count() == 4;
    let has_digit = segment.bytes().any(|b| b.is_ascii_digit());
    let plain = segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    segment.len() >= 20 && has_digit && plain && !is_guid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(request: &str, text: &str) -> String {
        Redactor::new(&Parsed::read(request.as_bytes()).unwrap()).clean(text)
    }

    #[test]
    fn what_came_in_confidence_is_struck_out_wherever_it_stood() {
        let all = "OpenSesame QWxhZGRpbjpPcGVuU2VzYW1l 0123456789ABCDEF My Password pa55w0rd";
        let basic = "GET / HTTP/1.1\nAuthorization: Basic QWxhZGRpbjpPcGVuU2VzYW1l\n\n";
        assert_eq!(clean(basic, all), all.replace("QWxhZGRpbjpPcGVuU2VzYW1l", STRUCK).replace("OpenSesame", STRUCK));
        let cookie = "GET / HTTP/1.1\nCookie: a=b; JSESSIONID=0123456789ABCDEF\n\n";
        assert_eq!(clean(cookie, all), all.replace("0123456789ABCDEF", STRUCK));
        let query = "GET /?user=Aladdin&password=My+Password HTTP/1.1\n\n";
        assert_eq!(clean(query, all), all.replace("My Password", STRUCK));
        let json = "POST / HTTP/1.1\n\n{\"params\":[\"admin\",\"pa55w0rd\"]}";
        assert_eq!(clean(json, all), all.replace("pa55w0rd", STRUCK));
        let xml = "POST / HTTP/1.1\n\n<l><n:password xmlns:n='x'>pa55w0rd</n:password></l>";
        assert_eq!(clean(xml, all), all.replace("pa55w0rd", STRUCK));
    }

    #[test]
    fn an_id_in_the_path_is_struck_out_and_names_of_headers_and_objects_stay() {
        let id = "0123456789ABCDEF0123456789ABCDEF";
        let request = format!("GET /api/session/isAuthenticated/{id} HTTP/1.1\nX-Password: My Password\n\n");
        assert_eq!(clean(&request, &format!("/x/{id} X-Password")), format!("/x/{STRUCK} X-Password"));
        let object = "/api/models/7c9e6679-7425-40de-944b-e07fc1f90ae7";
        assert_eq!(clean(&format!("GET {object} HTTP/1.1\n\n"), object), object);
    }

    #[test]
    fn our_own_words_are_not_struck_out() {
        let request = "POST / HTTP/1.1\n\n{\"username\":\"admin@test.com\",\"password\":\"password\"}";
        assert_eq!(clean(request, "the password is wrong"), "the password is wrong");
    }
}
