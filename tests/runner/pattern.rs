//! Patterns of scenario files: texts in which `{{class}}` and `{{class:COUNT}}` stand for characters of a class.

use serde_json::Value;

enum Part {
    Text(String),
    Class { fits: fn(char) -> bool, count: Option<usize> },
}

fn class(name: &str) -> fn(char) -> bool {
    match name {
        "HEX" => |c| c.is_ascii_digit() || ('A'..='F').contains(&c),
        "hex" => |c| c.is_ascii_digit() || ('a'..='f').contains(&c),
        "low5" => |c| c.is_ascii_lowercase() || ('0'..='5').contains(&c),
        "url64" => |c| c.is_ascii_alphanumeric() || c == '_' || c == '-',
        "digits" => |c| c.is_ascii_digit(),
        "time" => |c| c.is_ascii_digit() || "TZ:.+-".contains(c),
        "any" => |_| true,
        _ => panic!("no class `{name}` of characters"),
    }
}

fn placeholder(inside: &str) -> Option<Part> {
    let (name, count) = inside.split_once(':').map_or((inside, None), |(name, count)| (name, Some(count)));
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let count = match count {
        Some(digits) => Some(digits.parse().ok()?),
        None => None,
    };
    Some(Part::Class { fits: class(name), count })
}

fn parts(pattern: &str) -> Vec<Part> {
    let (mut found, mut text, mut rest) = (Vec::new(), String::new(), pattern);
    while let Some(at) = rest.find("{{") {
        let inside = rest[at + 2..].find("}}").map(|end| &rest[at + 2..at + 2 + end]);
        if let Some((inside, part)) = inside.and_then(|inside| Some((inside, placeholder(inside)?))) {
            text.push_str(&rest[..at]);
            found.push(Part::Text(std::mem::take(&mut text)));
            found.push(part);
            rest = &rest[at + inside.len() + 4..];
        } else {
            text.push_str(&rest[..at + 1]);
            rest = &rest[at + 1..];
        }
    }
    text.push_str(rest);
    found.push(Part::Text(text));
    found
}

fn matches(parts: &[Part], text: &str) -> bool {
    match parts {
        [] => text.is_empty(),
        [Part::Text(literal), rest @ ..] => {
            text.strip_prefix(literal.as_str()).is_some_and(|after| matches(rest, after))
        }
        [Part::Class { fits, count }, rest @ ..] => {
            let ends = text.char_indices().take_while(|(_, c)| fits(*c)).map(|(at, c)| at + c.len_utf8());
            let ends: Vec<usize> = ends.take(count.unwrap_or(usize::MAX)).collect();
            match count {
                Some(count) => ends.len() == *count && matches(rest, &text[ends.last().copied().unwrap_or(0)..]),
                None => ends.iter().rev().any(|end| matches(rest, &text[*end..])),
            }
        }
    }
}

/// Whether the whole of `text` is what the pattern says.
pub fn fits(pattern: &str, text: &str) -> bool {
    matches(&parts(pattern), text)
}

/// Compares JSON with its pattern; the error names the first difference.
pub fn same(pattern: &Value, value: &Value, at: &str) -> Result<(), String> {
    let differs = || Err(format!("json {at}/: {value} is not {pattern}"));
    match (pattern, value) {
        (Value::String(pattern), _) if pattern == "{{anything}}" => Ok(()),
        (Value::String(pattern), Value::String(value)) if fits(pattern, value) => Ok(()),
        (Value::Object(pattern), Value::Object(value)) => {
            if pattern.len() != value.len() || !pattern.keys().all(|key| value.contains_key(key)) {
                return differs();
            }
            pattern.iter().try_for_each(|(key, item)| same(item, &value[key], &format!("{at}/{key}")))
        }
        (Value::Array(pattern), Value::Array(value)) => {
            if pattern.len() != value.len() {
                return differs();
            }
            let mut pairs = pattern.iter().zip(value).enumerate();
            pairs.try_for_each(|(number, (pattern, value))| same(pattern, value, &format!("{at}/{number}")))
        }
        (pattern, value) if pattern == value && !pattern.is_string() => Ok(()),
        _ => differs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_fit_whole_texts_only() {
        assert!(fits("JSESSIONID={{HEX:4}}; Path=/", "JSESSIONID=09AF; Path=/"));
        assert!(!fits("JSESSIONID={{HEX:4}}; Path=/", "JSESSIONID=09AFF; Path=/"));
        assert!(!fits("{{HEX:4}}", "09af"));
        assert!(fits("{\"a\":{\"b\":\"{{url64}}\"}}", "{\"a\":{\"b\":\"x-_\"}}"));
        assert!(fits("{{any}}no-store{{any}}", "private, no-store, x"));
        assert!(!fits("{{any}}no-store", "no-store"));
        assert!(fits("", ""));
    }

    #[test]
    fn json_is_compared_member_by_member() {
        let value = serde_json::json!({"id": "0a", "n": 1, "l": [true]});
        let holds = |text: &str| same(&serde_json::from_str(text).unwrap(), &value, "").is_ok();
        assert!(holds(r#"{"l":[true],"n":1,"id":"{{hex:2}}"}"#));
        assert!(holds(r#"{"l":"{{anything}}","n":1,"id":"0a"}"#));
        assert!(!holds(r#"{"l":[true],"n":1}"#));
        assert!(!holds(r#"{"l":[true,true],"n":1,"id":"0a"}"#));
        assert!(!holds(r#"{"l":[true],"n":"1","id":"0a"}"#));
    }
}
