// SPDX-License-Identifier: BSD-2-Clause
//! Phrases in text of any kind: comments, documents, messages, names.

/// A phrase: for each of its words the forms that it may have.
pub struct Phrase {
    words: Vec<Vec<&'static str>>,
    instead: &'static str,
}

impl Phrase {
    /// `a|b c` is "a c" and "b c".
    pub fn list(phrases: &[(&'static str, &'static str)]) -> Vec<Self> {
        let forms = |words: &'static str| words.split(' ').map(|w| w.split('|').collect());
        phrases
            .iter()
            .map(|(words, instead)| Self {
                words: forms(words).collect(),
                instead,
            })
            .collect()
    }

    fn fits(&self, text: &[Token]) -> bool {
        text.len() >= self.words.len()
            && self.words.iter().zip(text).all(|(forms, token)| {
                matches!(token, Token::Word(_, word) if forms.contains(&word.as_str()))
            })
    }
}

/// A phrase that was found.
pub struct Hit {
    pub line: usize,
    /// As it is in the text, in lower case.
    pub what: String,
    pub instead: &'static str,
}

enum Token {
    /// A word and its line.
    Word(usize, String),
    /// The words before and after it are not of one phrase.
    Break,
}

/// The words of a text. A phrase may go on in the next line, after the leader of a comment; it does
/// not go on after punctuation or an empty line. An identifier is the words that it is made of.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let body = line
            .trim_start_matches(|c: char| c.is_whitespace() || "/!*#".contains(c))
            .trim_end()
            .trim_end_matches('\\');
        if body.is_empty() {
            tokens.push(Token::Break);
        }
        let mut word = String::new();
        for c in body.chars().chain([' ']) {
            match c {
                'a'..='z' | 'A'..='Z' | '\'' => word.push(c.to_ascii_lowercase()),
                _ => {
                    if !word.is_empty() {
                        tokens.push(Token::Word(n + 1, std::mem::take(&mut word)));
                    }
                    if !c.is_whitespace() && c != '_' && c != '*' {
                        tokens.push(Token::Break);
                    }
                }
            }
        }
    }
    tokens
}

/// Every place of a phrase in `text`.
pub fn find(text: &str, phrases: &[Phrase]) -> Vec<Hit> {
    let tokens = tokens(text);
    let mut hits = Vec::new();
    for at in 0..tokens.len() {
        let rest = &tokens[at..];
        for phrase in phrases.iter().filter(|p| p.fits(rest)) {
            let words: Vec<&str> = rest[..phrase.words.len()]
                .iter()
                .filter_map(|t| match t {
                    Token::Word(_, word) => Some(word.as_str()),
                    Token::Break => None,
                })
                .collect();
            if let Token::Word(line, _) = &rest[0] {
                hits.push(Hit {
                    line: *line,
                    what: words.join(" "),
                    instead: phrase.instead,
                });
            }
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let phrases = Phrase::list(&[("is|are over", "completed"), ("nobody", "none")]);
        find(text, &phrases).into_iter().map(|h| h.line).collect()
    }

    #[test]
    fn a_phrase_goes_on_in_the_next_line() {
        assert_eq!(lines("/// When a job is\n/// over, it is freed."), [1]);
        assert_eq!(lines("/*\n * jobs are\n * over\n */"), [2]);
        assert_eq!(lines("\"the job is \\\n  over\""), [1]);
        assert_eq!(lines("# jobs are\n# **over**"), [1]);
    }

    #[test]
    fn a_phrase_ends_with_the_sentence() {
        assert_eq!(lines("That is. Over there."), [0; 0]);
        assert_eq!(lines("that it is\n\nOver there"), [0; 0]);
        assert_eq!(lines("is(over)"), [0; 0]);
    }

    #[test]
    fn names_are_words() {
        assert_eq!(lines("fn job_is_over() {}\nlet NOBODY = 1;"), [1, 2]);
        assert_eq!(lines("nobodys crossover"), [0; 0]);
    }
}
