//! Calls with a session in their body, through C: what a decision costs beside parsing that body alone.
//!
//! The body is known when the decision is asked for, as behind a host that reads it first. serde_json makes the usual
//! tree of it; quick-xml hands out its events.

use crate::checkpath::house::{House, ask};
use crate::checkpath::sys::C;
use crate::checkpath::{Case, Door, Text};
use crate::measure::{Effort, Row, compare};
use janua::engine::Outcome;
use quick_xml::Reader;
use quick_xml::events::Event;
use std::hint::black_box;

const PROFILE: &str = "menandmice";

pub fn rows(short: bool) -> Vec<Row> {
    let (house, effort) = (House::new(), Effort::of(short));
    let door = C::new(&house);
    let session = session(&door);
    let record = r#"{"name":"www","type":"A","ttl":"3600","data":"192.0.2.10","comment":"","enabled":true,"dnsZoneRef":"{#14-#210}"}"#;
    let records = vec![record; 20].join(",");
    let rpc = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"AddDNSRecords","params":{{"session":"{session}"{params}}},"id":7}}"#)
    };
    let element = "<dnsRecord><name>www</name><type>A</type><ttl>3600</ttl><data>192.0.2.10</data><comment/><enabled>true</enabled><dnsZoneRef>{#14-#210}</dnsZoneRef></dnsRecord>";
    let soap = |inside: &str| {
        format!(
            "<?xml version='1.0' encoding='utf-8'?>\n<soap-env:Envelope xmlns:soap-env=\"http://schemas.xmlsoap.org/soap/envelope/\">\
             <soap-env:Body><ns0:AddDNSRecords xmlns:ns0=\"http://menandmice.com/webservices/\"><ns0:session>{session}</ns0:session>\
             {inside}</ns0:AddDNSRecords></soap-env:Body></soap-env:Envelope>"
        )
    };
    let many = format!(r#","dnsRecords":[{records}]"#);
    let mut rows = Vec::new();
    for (name, body) in [("JSON-RPC, a short call", rpc("")), ("JSON-RPC, 20 records", rpc(&many))] {
        let mut parse =
            || assert!(black_box(serde_json::from_slice::<serde_json::Value>(black_box(body.as_bytes()))).is_ok());
        rows.push(row(&door, effort, name, "/mmws/json", "application/json", &body, "serde_json", &mut parse));
    }
    for (name, body) in [("SOAP, a short call", soap("")), ("SOAP, 20 records", soap(&element.repeat(20)))] {
        let mut parse = || assert!(black_box(events(black_box(&body))) > 5);
        rows.push(row(&door, effort, name, "/mmws/soap", "text/xml; charset=utf-8", &body, "quick-xml", &mut parse));
    }
    rows
}

#[allow(clippy::too_many_arguments)]
fn row(
    door: &C,
    effort: Effort,
    name: &'static str,
    path: &str,
    kind: &str,
    body: &str,
    against: &str,
    parse: &mut dyn FnMut(),
) -> Row {
    let text = Text::new(ask("POST", path).body(kind, body));
    let case = Case { name, profile: PROFILE, text, outcome: Outcome::Allow };
    let mut found = None;
    door.again(&case, &mut |decide| {
        found = Some(compare(effort, parse, &mut || assert_eq!(decide(), Outcome::Allow as i32)));
    });
    let label = format!("through C: {name}, {} bytes", body.len());
    found.map_or_else(|| Row::alone(label.clone(), "not measured"), |found| Row::ratio(label.clone(), against, &found))
}

fn session(door: &C) -> String {
    let login = r#"{"method":"Login","params":{"loginName":"Aladdin","password":"OpenSesame"}}"#;
    let said = door.ask(PROFILE, &Text::new(ask("POST", "/mmws/json").json(login)), false);
    let answer: serde_json::Value = serde_json::from_str(&said.body).unwrap();
    answer["result"]["session"].as_str().unwrap().to_owned()
}

fn events(text: &str) -> usize {
    let mut reader = Reader::from_str(text);
    let mut count = 0;
    while !matches!(reader.read_event().unwrap(), Event::Eof) {
        count += 1;
    }
    count
}
