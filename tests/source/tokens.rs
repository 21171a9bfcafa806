//! Just enough of Rust's grammar to read the house's own source: words and punctuation with their lines, comments and
//! literals left out. Used by the floor check; it must never be fooled by a brace in a string or a path in a comment.

/// A word or one punctuation mark, and the line it stands on (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// Reads `source` into tokens. `::` and `->` are one token each; literals and comments yield nothing.
pub fn read(source: &str) -> Vec<Token> {
    let text: Vec<char> = source.chars().collect();
    let mut reader = Reader { text, at: 0, line: 1, tokens: Vec::new() };
    while reader.at < reader.text.len() {
        reader.step();
    }
    reader.tokens
}

struct Reader {
    text: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Reader {
    fn peek(&self, ahead: usize) -> char {
        self.text.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.line += usize::from(self.peek(0) == '\n');
            self.at += 1;
        }
    }

    fn push(&mut self, text: String) {
        let count = text.chars().count();
        self.tokens.push(Token { text, line: self.line });
        self.skip(count);
    }

    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.line_comment(),
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(),
            ('\'', _) => self.quote(),
            (':', ':') => self.push("::".into()),
            ('-', '>') => self.push("->".into()),
            (c, _) if c.is_alphanumeric() || c == '_' => self.word(),
            (c, _) if c.is_whitespace() => self.skip(1),
            (c, _) => self.push(c.to_string()),
        }
    }

    fn line_comment(&mut self) {
        while self.at < self.text.len() && self.peek(0) != '\n' {
            self.skip(1);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.skip(1);
                    continue;
                }
            }
            self.skip(2);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.skip(1);
        while self.at < self.text.len() && self.peek(0) != '"' {
            self.skip(if self.peek(0) == '\\' { 2 } else { 1 });
        }
        self.skip(1);
    }

    /// A character literal, or the start of a lifetime.
    fn quote(&mut self) {
        if self.peek(1) == '\\' {
            self.skip(3);
            while self.at < self.text.len() && self.peek(0) != '\'' {
                self.skip(1);
            }
            self.skip(1);
        } else {
            self.skip(if self.peek(2) == '\'' { 3 } else { 1 });
        }
    }

    /// A word; one that is the prefix of a string literal takes the literal with it.
    fn word(&mut self) {
        let start = self.at;
        let mut end = start;
        while self.text.get(end).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
            end += 1;
        }
        let word: String = self.text[start..end].iter().collect();
        let hashes = self.text[end..].iter().take_while(|c| **c == '#').count();
        let opens = self.text.get(end + hashes) == Some(&'"');
        if matches!(word.as_str(), "r" | "br" | "cr") && opens {
            self.skip(word.len() + hashes + 1);
            self.raw_string(hashes);
        } else if matches!(word.as_str(), "b" | "c") && hashes == 0 && opens {
            self.skip(1);
            self.string();
        } else if word == "b" && self.peek(1) == '\'' {
            self.skip(1);
            self.quote();
        } else {
            self.push(word);
        }
    }

    fn raw_string(&mut self, hashes: usize) {
        while self.at < self.text.len() {
            let closes = self.peek(0) == '"' && (1..=hashes).all(|n| self.peek(n) == '#');
            self.skip(1);
            if closes {
                self.skip(hashes);
                return;
            }
        }
    }
}
