//! Runs the scenario files in this process, through `engine::Site::decide`, with a clock that they move.
//!
//! Besides what a file expects, each decision is held to what is true of all: nothing is audited before it is final,
//! a final one is audited, and neither audit nor upstream is told a secret.

#[path = "runner/door.rs"]
mod door;
#[path = "runner/file.rs"]
mod file;
#[path = "runner/pattern.rs"]
mod pattern;

use door::{Answer, Door};
use file::{File, Scenario, Step, Told, fill};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One scenario under way.
struct Run<'a> {
    door: &'a mut Door,
    known: BTreeMap<String, String>,
    secrets: Vec<String>,
    folder: PathBuf,
}

type Outcome = Result<(), String>;

impl Run<'_> {
    fn put(&self, text: &str) -> Result<String, String> {
        fill(text, &self.known, self.door.now())
    }

    fn step(&mut self, step: &Step) -> Outcome {
        if step.raw.is_some() {
            return Ok(()); // only a wire can carry it
        }
        if step.restart {
            self.door.restart();
        }
        for _ in 0..step.times.unwrap_or(1) {
            if step.wait > 0 {
                self.door.wait(step.wait);
            }
            let answer = self.door.send(step, &self.folder, &self.known)?;
            self.check(step, &answer)?;
            self.capture(step, &answer)?;
        }
        match &step.differ {
            Some((a, b)) if self.known[a] == self.known[b] => Err(format!("{a} and {b} are equal")),
            _ => Ok(()),
        }
    }

    fn check(&self, step: &Step, answer: &Answer) -> Outcome {
        let shown = answer.body.chars().take(400).collect::<String>();
        if !step.status.as_ref().map_or(answer.status == 200, |status| status.allows(answer.status)) {
            return Err(format!("status {} ({}); {shown}", answer.status, answer.reason));
        }
        self.check_upstream(step, answer)?;
        if let Some(reason) = step.reason.as_ref().filter(|reason| *reason != answer.reason) {
            return Err(format!("reason {}, expected {reason}", answer.reason));
        }
        if let Some(text) = &step.text {
            let text = self.put(text)?;
            if !pattern::fits(&text, &answer.body) {
                return Err(format!("body {shown}\n    expected {text}"));
            }
        }
        if let Some(text) = &step.json {
            let expected =
                serde_json::from_str(&self.put(text)?).map_err(|error| format!("the expected JSON: {error}"))?;
            pattern::same(&expected, &parse(answer)?, "")?;
        }
        self.check_headers(step, answer)?;
        self.check_secrets(step, answer)
    }

    fn check_upstream(&self, step: &Step, answer: &Answer) -> Outcome {
        let Some(allow) = &step.allow else {
            return if answer.told { Err(format!("it reached the upstream as {}", answer.body)) } else { Ok(()) };
        };
        if !answer.told {
            let open = step.status.is_some() && answer.status != 200;
            return if open { Ok(()) } else { Err(format!("it did not reach the upstream: {}", answer.reason)) };
        }
        let told = parse(answer)?;
        let nobody = || json!({"user": "", "id": "", "roles": [], "tenant": "", "session": ""});
        let expected = match allow {
            Told::Nobody(word) if word == "nobody" => nobody(),
            Told::Nobody(word) => return Err(format!("allow = {word:?}: write \"nobody\" or a table")),
            Told::Somebody(members) => json!(members),
        };
        for (key, value) in expected.as_object().into_iter().flatten() {
            let value: Value =
                serde_json::from_str(&self.put(&value.to_string())?).map_err(|error| error.to_string())?;
            pattern::same(&value, &told[key], key)?;
        }
        Ok(())
    }

    fn check_headers(&self, step: &Step, answer: &Answer) -> Outcome {
        let values = |name: &str| {
            let name = name.trim().to_owned();
            answer.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(&name)).map(|(_, value)| value)
        };
        for line in &step.answer {
            let line = self.put(line)?;
            let (name, expected) = line.split_once(':').ok_or("a header without a colon")?;
            if !values(name).any(|value| pattern::fits(expected.trim(), value)) {
                return Err(format!("{name}: {:?}, expected{expected}", values(name).collect::<Vec<_>>()));
            }
        }
        match step.without.iter().find(|name| values(name).next().is_some()) {
            Some(name) => Err(format!("{name} came: {:?}", values(name).collect::<Vec<_>>())),
            None => Ok(()),
        }
    }

    fn check_secrets(&self, step: &Step, answer: &Answer) -> Outcome {
        let headers = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect::<String>();
        for text in &step.lacks {
            let text = self.put(text)?;
            if headers.contains(&text) || answer.body.contains(&text) {
                return Err(format!("the answer holds {:.60}", text));
            }
        }
        match self.secrets.iter().find(|secret| secret.len() >= 8 && answer.seen.contains(*secret)) {
            Some(secret) => Err(format!("audit or upstream was told {secret:.40}: {}", answer.seen)),
            None => Ok(()),
        }
    }

    fn capture(&mut self, step: &Step, answer: &Answer) -> Outcome {
        for (name, source) in &step.capture {
            let value = pick(source, answer)?;
            if source.starts_with("cookie:") || source.ends_with("/Value") || source.ends_with("/Authentication") {
                self.secrets.push(value.clone());
            }
            self.known.insert(name.clone(), value);
        }
        Ok(())
    }
}

fn parse(answer: &Answer) -> Result<Value, String> {
    serde_json::from_str(&answer.body).map_err(|error| format!("not JSON ({error}): {:.300}", answer.body))
}

fn pick(source: &str, answer: &Answer) -> Result<String, String> {
    let (kind, name) = source.split_once(':').ok_or("a capture is `kind:name`")?;
    let header = |wanted: &str| {
        let wanted = wanted.to_owned();
        answer.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(&wanted)).map(|(_, value)| value.as_str())
    };
    let found = match kind {
        "cookie" => header("Set-Cookie")
            .find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='))
            .and_then(|rest| rest.split(';').next())
            .map(str::to_owned),
        "header" => header(name).next().map(str::to_owned),
        "json" => {
            parse(answer)?.pointer(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        }
        _ => None,
    };
    found.ok_or_else(|| format!("nothing at {source}: {:?} {:.300}", answer.headers, answer.body))
}

fn scenario(file: &File, scenario: &Scenario, door: &mut Door, folder: &Path) -> Outcome {
    let variables = file.variables.iter().chain(&scenario.variables);
    let mut known: BTreeMap<String, String> = variables.map(|(name, value)| (name.clone(), value.text())).collect();
    known.insert("host".into(), "127.0.0.1:8080".into());
    let mut run = Run { door, known, secrets: file.secrets.clone(), folder: folder.to_owned() };
    for step in &scenario.step {
        run.step(step).map_err(|wrong| format!("{}\n    {wrong}", step.does))?;
    }
    Ok(())
}

/// Runs every file of a system; one door a file.
fn system(name: &str) {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let folder = scenarios.join(name);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    let (mut wrong, mut done) = (Vec::new(), 0);
    for path in &paths {
        let file: File = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let stem = path.file_stem().unwrap().to_string_lossy();
        let mut door = Door::open(&scenarios, &file.config, &format!("{name}-{stem}"));
        for one in &file.scenario {
            done += 1;
            if let Err(error) = scenario(&file, one, &mut door, &folder) {
                wrong.push(format!("{name}/{stem}: {}\n  at: {error}", one.name));
            }
        }
    }
    assert!(done > 0, "no scenario in {name}");
    assert!(wrong.is_empty(), "{} of {done} scenarios failed:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn mashzone() {
    system("mashzone");
}

#[test]
fn mauro() {
    system("mauro");
}

#[test]
fn menandmice() {
    system("menandmice");
}

#[test]
fn mfiles() {
    system("mfiles");
}

#[test]
fn form() {
    system("form");
}
