//! What a relay says of a mail, without what it repeats of it.

/// The words of an answer, with `…` for each that stands in the mail and could be part of a secret: filters like to
/// say which link they did not like. Ordinary words stay, and so does the name under which the relay queued the mail.
pub(crate) fn without_quotations(answer: &str, mail: &[&str]) -> String {
    let mail: Vec<String> = mail.iter().map(|part| part.to_lowercase()).collect();
    let quoted = |run: &str| telling(run) && mail.iter().any(|part| part.contains(run));
    let word = |word: &str| {
        let lower = word.to_lowercase();
        let tells = lower.contains("://") || lower.split(|c: char| !c.is_alphanumeric()).any(quoted);
        if tells { "…".to_owned() } else { word.to_owned() }
    };
    answer.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// Whether this many characters in a row could be a code, or a part of a token.
fn telling(run: &str) -> bool {
    run.len() >= 16 || (run.len() >= 4 && run.contains(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: [&str; 2] = ["Your code is 481516. Go to https://vpn.example.com/enroll/enr_7XKQ2M9D4T6WB8RH", "Hello"];

    #[test]
    fn links_codes_and_tokens_are_not_repeated() {
        for (answer, shown) in [
            ("5.7.1 bad link https://vpn.example.com/enroll/enr_7XKQ2M9D4T6WB8RH", "5.7.1 bad link …"),
            ("5.7.1 bad link HXXPS://elsewhere", "5.7.1 bad link …"),
            ("5.7.1 (vpn.example.com/enroll/ENR_7xkq2m9d): no", "5.7.1 … no"),
            ("5.6.0 the code <481516> looks odd", "5.6.0 the code … looks odd"),
        ] {
            assert_eq!(without_quotations(answer, &MAIL), shown);
        }
    }

    #[test]
    fn ordinary_words_and_queue_names_stay() {
        for answer in ["2.0.0 Ok: queued as 9D5959960A2", "5.7.1 Your code is spam", "5.2.2 quota of 4096 reached"] {
            assert_eq!(without_quotations(answer, &MAIL), answer);
        }
    }
}
